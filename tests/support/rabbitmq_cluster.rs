//! A RabbitMQ cluster of a test's own.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::rabbitmq::RabbitMq;
use super::rabbitmq_home::Home;
use super::wait::eventually;

const NODES: usize = 3;

/// A node that says nothing is given up in ten seconds instead of a minute; until then its queues take no message, though
/// they have another leader. A node that was given up and goes on rejoins, within a minute; with `pause_minority` it may
/// miss that it was, and stays apart for good.
const SETTINGS: [&str; 2] = ["cluster_partition_handling = autoheal", "net_ticktime = 10"];

/// What expires in a delay queue is handed to its lane within the broker, which waits three minutes for a confirm that a
/// frozen node owes it before it tries again.
const ADVANCED: &str = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].";

/// For an election or for a node that comes back; no assertion about speed.
const PATIENCE: Duration = Duration::from_secs(180);

/// Three nodes on loopback that are one broker. Each is a [`RabbitMq`] to be hurt by itself.
pub struct RabbitCluster {
    nodes: Vec<RabbitMq>,
}

impl RabbitCluster {
    /// Starts the nodes, joins them, and waits until all of them run.
    pub fn start() -> Self {
        Self::start_with(&[], ADVANCED)
    }

    /// As [`Self::start`], with settings for every node as for [`RabbitMq::start_with`]; they win over those above.
    pub fn start_with(settings: &[&str], advanced: &str) -> Self {
        let home = Arc::new(Home::new());
        let settings = [&SETTINGS, settings].concat();
        let prepare = |n| RabbitMq::prepare(&home, &format!("t{n}"), &settings, advanced);
        let cluster = Self { nodes: (1..=NODES).map(prepare).collect() };
        cluster.start_again();
        let first = cluster.nodes[0].name();
        for node in &cluster.nodes[1..] {
            node.ctl(&["stop_app"]);
            node.ctl(&["join_cluster", &first]);
            node.ctl(&["start_app"]);
        }
        cluster.wait_running(NODES);
        cluster
    }

    /// The cluster of this process, for one test at a time, whole again whatever the one before did to it; it ends with
    /// the process.
    pub fn in_turn() -> MutexGuard<'static, Self> {
        static CLUSTER: OnceLock<Mutex<RabbitCluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| Mutex::new(Self::start()));
        let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
        // Started anew it joins at once; going on it may take a minute to.
        cluster.nodes.iter().filter(|node| node.is_stopped()).for_each(RabbitMq::kill);
        cluster.start_again();
        cluster.wait_in_sync();
        cluster
    }

    pub fn nodes(&self) -> &[RabbitMq] {
        &self.nodes
    }

    pub fn node(&self, index: usize) -> &RabbitMq {
        &self.nodes[index]
    }

    /// Where each node takes connections.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RabbitMq::url).collect()
    }

    /// Starts all nodes that were killed, at once, and waits until they take connections: after the loss of the
    /// majority none of them may do so alone.
    pub fn start_again(&self) {
        let killed: Vec<_> = self.nodes.iter().filter(|node| !node.is_started()).collect();
        killed.iter().for_each(|node| node.launch());
        killed.iter().for_each(|node| node.wait_started());
    }

    /// Waits until every node that answers sees this many members run.
    ///
    /// A stopped node counts until it is given up.
    #[track_caller]
    pub fn wait_running(&self, count: usize) {
        // A node that is being healed does not even answer for a while.
        let sees = |node: &RabbitMq| {
            node.try_ctl(&["await_online_nodes", &count.to_string(), "--timeout", "5"]).is_ok()
        };
        let all_see = || self.nodes.iter().filter(|node| node.answers()).all(sees).then_some(());
        eventually(PATIENCE, &format!("{count} running nodes"), all_see);
    }

    /// Waits until all nodes run and every quorum queue has the same on each of them: then any one may be lost.
    #[track_caller]
    pub fn wait_in_sync(&self) {
        self.wait_running(NODES);
        let in_sync = || (self.nodes[0].try_ctl(&["eval", IN_SYNC]).ok()?.trim() == "true").then_some(());
        eventually(PATIENCE, "quorum queues in sync", in_sync);
    }

    /// Which node leads a quorum queue, as soon as one does that answers.
    #[track_caller]
    pub fn leader_of(&self, queue: &str) -> usize {
        let asked = format!("ra_leaderboard:lookup_leader(binary_to_atom(<<\"%2F_{queue}\">>)).");
        let leader = || {
            let answer = self.nodes.iter().find(|node| node.answers())?.try_ctl(&["eval", &asked]).ok()?;
            // Until an election has ended the answer is the leader that is gone.
            self.nodes.iter().position(|node| node.answers() && answer.contains(&node.name()))
        };
        eventually(PATIENCE, &format!("a leader of {queue}"), leader)
    }
}

/// Whether every quorum queue has a leader and else followers, and all of them have committed the same.
const IN_SYNC: &str = "
lists:all(fun(Queue) ->
    {resource, Host, queue, Name} = amqqueue:get_name(Queue),
    Members = rabbit_quorum_queue:status(Host, Name),
    Values = fun(Key) -> lists:usort([proplists:get_value(Key, Member) || Member <- Members]) end,
    Values(<<\"Raft State\">>) =:= [follower, leader] andalso length(Values(<<\"Commit Index\">>)) =:= 1
end, [Queue || Queue <- rabbit_amqqueue:list(), amqqueue:is_quorum(Queue)]).";
