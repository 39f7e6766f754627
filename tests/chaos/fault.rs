//! The faults, and how one is drawn.

use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// One worker dies and is started again.
    KillWorker,
    /// One worker stands still, perhaps for longer than its claims last.
    FreezeWorker,
    /// Both workers die.
    KillBothWorkers,
    /// One node of the broker dies.
    KillNode,
    /// Two nodes die: no quorum.
    KillMajority,
    /// One node stands still.
    FreezeNode,
    /// Every connection is closed by an operator.
    CloseConnections,
    /// A memory alarm: nobody may publish.
    Alarm,
    RestartDatabase,
    KillDatabase,
    FreezeDatabase,
    /// Gateway and relay misbehave now and then.
    Misbehave,
    /// Gateway and relay misbehave most of the time.
    MisbehaveBadly,
}

const ALL: [Fault; 13] = [
    Fault::KillWorker,
    Fault::FreezeWorker,
    Fault::KillBothWorkers,
    Fault::KillNode,
    Fault::KillMajority,
    Fault::FreezeNode,
    Fault::CloseConnections,
    Fault::Alarm,
    Fault::RestartDatabase,
    Fault::KillDatabase,
    Fault::FreezeDatabase,
    Fault::Misbehave,
    Fault::MisbehaveBadly,
];

pub fn names(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault:?}")).collect::<Vec<_>>().join(", ")
}

impl Fault {
    /// One to three, one after the other; what one has begun may go on while the next one happens.
    pub fn draw(random: &mut Rng) -> Vec<Self> {
        (0..random.usize(1..=3)).map(|_| ALL[random.usize(0..ALL.len())]).collect()
    }

    pub fn happen(self, world: &World, random: &mut Rng) {
        let (worker, node) = (random.usize(0..2), random.usize(0..3));
        let moment = Duration::from_millis(random.u64(500..4000));
        let while_ = Duration::from_millis(random.u64(2000..20_000));
        match self {
            Self::KillWorker => kill_workers(world, &[worker], moment),
            Self::KillBothWorkers => kill_workers(world, &[0, 1], moment),
            Self::FreezeWorker => freeze_worker(world, worker, while_),
            Self::KillNode => kill_nodes(world, &[node], moment),
            Self::KillMajority => kill_nodes(world, &[node, (node + 1) % 3], moment),
            Self::FreezeNode => freeze_node(world, node, while_),
            Self::CloseConnections => {
                thread::sleep(moment);
                // A node that is just coming back may refuse; there is nothing to close on it.
                let _ = world.brokers.node(node).try_ctl(&["close_all_connections", "chaos"]);
            }
            Self::Alarm => alarm(world, node, moment),
            Self::RestartDatabase => world.database.restart(),
            Self::KillDatabase => {
                world.database.kill();
                thread::sleep(moment);
                world.database.start_again();
            }
            Self::FreezeDatabase => {
                world.database.stop();
                thread::sleep(while_);
                world.database.cont();
            }
            Self::Misbehave => misbehave(world, 0.2, while_),
            Self::MisbehaveBadly => misbehave(world, 0.8, while_),
        }
    }
}

fn kill_workers(world: &World, workers: &[usize], pause: Duration) {
    thread::sleep(pause);
    for worker in workers {
        if world.workers[*worker].try_exit().is_none() {
            world.workers[*worker].kill();
        }
    }
    thread::sleep(pause);
    for worker in workers {
        world.workers[*worker].start_again();
    }
}

fn freeze_worker(world: &World, worker: usize, pause: Duration) {
    if world.workers[worker].try_exit().is_none() {
        world.workers[worker].signal("STOP");
        thread::sleep(pause);
        world.workers[worker].signal("CONT");
    }
}

fn kill_nodes(world: &World, nodes: &[usize], pause: Duration) {
    thread::sleep(pause);
    nodes.iter().for_each(|node| world.brokers.node(*node).kill());
    thread::sleep(pause);
    world.brokers.start_again();
}

fn freeze_node(world: &World, node: usize, pause: Duration) {
    world.brokers.node(node).stop();
    thread::sleep(pause);
    world.brokers.node(node).cont();
}

fn alarm(world: &World, node: usize, pause: Duration) {
    let node = world.brokers.node(node);
    if node.try_ctl(&["set_vm_memory_high_watermark", "0.00001"]).is_ok() {
        thread::sleep(pause);
        let _ = node.try_ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]);
    }
}

fn misbehave(world: &World, share: f64, pause: Duration) {
    world.misbehave(share);
    thread::sleep(pause);
}
