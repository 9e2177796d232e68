//! [`Waits`]: which shared runs wait for which, so that no run waits for itself.

use std::collections::BTreeMap;

use crate::call::shared::SharedKey;
use crate::error::{Phase, TransportError};

/// The shared runs of a driver that wait for other shared runs.
///
/// A driver calls [`begin`](Self::begin) before a shared run waits for another one, and
/// [`end`](Self::end) afterwards. A flow that is not a shared run itself can't close a cycle.
#[derive(Debug, Default)]
pub struct Waits {
    /// The awaited runs of each run, with repetitions.
    awaited: BTreeMap<SharedKey, Vec<SharedKey>>,
}

impl Waits {
    /// Notes that the run `waiting` waits for the run `awaited`.
    ///
    /// # Errors
    ///
    /// [`Phase::NotSent`] if `awaited` waits for `waiting`, directly or through other runs: none of
    /// them would ever end.
    pub fn begin(
        &mut self,
        waiting: &SharedKey,
        awaited: &SharedKey,
    ) -> Result<(), TransportError> {
        if self.leads_to(awaited, waiting) {
            let reason = "a shared run must not wait for itself, directly or through other runs";
            return Err(TransportError::new(Phase::NotSent, reason));
        }
        self.awaited.entry(waiting.clone()).or_default().push(awaited.clone());
        Ok(())
    }

    /// Notes that the run `waiting` no longer waits for the run `awaited`.
    pub fn end(&mut self, waiting: &SharedKey, awaited: &SharedKey) {
        let Some(keys) = self.awaited.get_mut(waiting) else { return };
        if let Some(index) = keys.iter().position(|key| key == awaited) {
            keys.swap_remove(index);
        }
        if keys.is_empty() {
            self.awaited.remove(waiting);
        }
    }

    /// Whether `from` is `to`, or waits for it directly or through other runs.
    fn leads_to(&self, from: &SharedKey, to: &SharedKey) -> bool {
        let mut left = vec![from];
        let mut seen = Vec::new();
        while let Some(key) = left.pop() {
            if key == to {
                return true;
            }
            if !seen.contains(&key) {
                seen.push(key);
                left.extend(self.awaited.get(key).into_iter().flatten());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_closes_a_cycle_is_refused() {
        let [a, b, c] = ["a", "b", "c"].map(|name| SharedKey::new::<()>(name.to_owned()));
        let mut waits = Waits::default();
        assert!(waits.begin(&a, &a).is_err());
        waits.begin(&a, &b).unwrap();
        waits.begin(&a, &b).unwrap();
        assert!(waits.begin(&b, &a).is_err());
        waits.begin(&b, &c).unwrap();
        assert!(waits.begin(&c, &a).is_err());
        waits.end(&a, &b);
        assert!(waits.begin(&c, &a).is_err(), "a waits for b once more");
        waits.end(&a, &b);
        waits.begin(&c, &a).unwrap();
        // The same name of another machine is another run.
        let other = SharedKey::new::<u8>("c".to_owned());
        waits.begin(&other, &c).unwrap();
    }
}
