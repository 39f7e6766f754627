//! A histogram at one moment, and what came between two. Pure.

use super::exposition::{Exposition, whole};

/// Cumulative counts by upper bound, as Prometheus has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Histogram {
    /// Finite bounds, ascending, and how many were no larger.
    buckets: Vec<(f64, u64)>,
    /// All of them.
    pub count: u64,
}

impl Histogram {
    /// The histogram of a page that has these labels.
    pub fn read(page: &Exposition, name: &str, labels: &[(&str, &str)]) -> Self {
        let (bucket, count) = (format!("{name}_bucket"), format!("{name}_count"));
        let bounds = page.of(&bucket, labels).filter_map(|sample| {
            let bound: f64 = sample.label("le")?.parse().ok()?;
            bound.is_finite().then_some((bound, whole(sample.value)))
        });
        let mut buckets: Vec<(f64, u64)> = bounds.collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self { buckets, count: page.count(&count, labels).unwrap_or_default() }
    }

    /// What was added since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.within(bound);
        Self {
            buckets: self
                .buckets
                .iter()
                .map(|(bound, count)| (*bound, count.saturating_sub(before(*bound))))
                .collect(),
            count: self.count.saturating_sub(earlier.count),
        }
    }

    /// How many were no larger than a bucket's bound.
    pub fn within(&self, bound: f64) -> u64 {
        self.buckets.iter().find(|(upper, _)| *upper == bound).map_or(0, |(_, count)| *count)
    }

    /// The upper bound of the bucket that holds this share of all; the largest finite one for what is beyond. Nothing of
    /// nothing.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = self.count as f64 * share;
        let holds = self.buckets.iter().find(|(_, count)| *count as f64 >= rank);
        holds.or(self.buckets.last()).map(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(counts: [u64; 4]) -> Histogram {
        let [one, five, ten, all] = counts;
        let page = format!(
            "h_bucket{{le=\"10\"}} {ten}\nh_bucket{{le=\"1\"}} {one}\nh_bucket{{le=\"5\"}} {five}\n\
             h_bucket{{le=\"+Inf\"}} {all}\nh_sum 3\nh_count {all}\n"
        );
        Histogram::read(&Exposition::parse(&page), "h", &[])
    }

    #[test]
    fn a_quantile_is_the_upper_bound_of_its_bucket() {
        let all = histogram([50, 98, 99, 100]);
        assert_eq!(all.quantile(0.5), Some(1.0));
        assert_eq!(all.quantile(0.51), Some(5.0));
        assert_eq!(all.quantile(0.99), Some(10.0));
        assert_eq!(all.quantile(1.0), Some(10.0), "what is beyond the last bound is at least that");
        assert_eq!(histogram([0; 4]).quantile(0.99), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn between_two_moments_is_what_was_added() {
        let added = histogram([50, 98, 100, 101]).since(&histogram([50, 97, 97, 97]));
        assert_eq!((added.count, added.within(1.0), added.within(5.0), added.within(10.0)), (4, 0, 1, 3));
        assert_eq!(added.quantile(0.5), Some(10.0));
        assert_eq!(histogram([1, 1, 1, 1]).since(&Histogram::default()).count, 1);
    }
}
