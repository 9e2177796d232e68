//! Keys from passphrases: Argon2id with one salt per store.
//!
//! The salt is a record of the store, which the first process creates by compare-and-set, so that all
//! processes derive the same key. The record also has the ids of the keys that were derived with it: a
//! mistyped passphrase is an error when the program starts, and not after it has sealed records.
//!
//! ```text
//! magic (4) | format version (1) | memory in KiB (4) | passes (4) | lanes (4) | salt (16) | key ids (8 each)
//! ```
//!
//! RFC 9106.

use argon2::{Algorithm, Argon2, Params, Version};
use atproto_sansio::{
    Expect, Record, Saved, SecretBytes, SecretString, StoreError, StoreErrorKind,
};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::key::{ID_HASH_BYTES, SealingKey, fill_random, id_of};
use crate::store::{AsyncStore, Store};

/// Key of the salt record.
const SALT: &str = "sealing/salt";
const MAGIC: &[u8; 4] = b"\xffatk";
const FORMAT: u8 = 1;
const SALT_BYTES: usize = 16;
const MAX_IDS: usize = 16;
/// Attempts to write the salt record against other processes.
const ATTEMPTS: usize = 8;

/// The cost of a new salt record: 64 MiB and three passes (RFC 9106, second recommended option, with
/// one lane).
const COST: Cost = Cost { memory: 64 * 1024, passes: 3, lanes: 1 };

/// The cost of a derivation.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// The salt record of a store.
#[derive(Clone, Eq, PartialEq)]
struct Salt {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    ids: Vec<[u8; ID_HASH_BYTES]>,
}

/// The derivation of one key, over as many rounds of load and save as other processes cause.
struct Derivation<'a> {
    passphrase: &'a SecretString,
    is_new: bool,
    derived: Option<(Salt, Zeroizing<[u8; 32]>)>,
}

enum Step {
    Done(SealingKey),
    Save(SecretBytes, Expect),
}

impl SealingKey {
    /// Derives the key of `store` from the passphrase that the store was set up with. In a store
    /// without a salt, the passphrase becomes that one.
    ///
    /// `store` is the store below `Sealed`. The derivation takes 64 MiB and some tenths of a second:
    /// call it once, when the program starts.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreErrorKind::Misconfigured`] if the passphrase is empty or is not one that the
    /// store was set up with, and with [`StoreErrorKind::Unreadable`] if the salt record is damaged.
    pub fn from_passphrase(
        store: &impl Store,
        passphrase: &SecretString,
    ) -> Result<Self, StoreError> {
        Derivation::begin(passphrase, false)?.run(store)
    }

    /// [`from_passphrase`](Self::from_passphrase) over an async store. The derivation occupies the
    /// thread.
    ///
    /// # Errors
    ///
    /// As [`from_passphrase`](Self::from_passphrase).
    pub async fn from_passphrase_async(
        store: &impl AsyncStore,
        passphrase: &SecretString,
    ) -> Result<Self, StoreError> {
        Derivation::begin(passphrase, false)?.run_async(store).await
    }

    /// Derives a key from a further passphrase and notes in `store` that it is right. Later,
    /// [`from_passphrase`](Self::from_passphrase) accepts it as well.
    ///
    /// To replace a passphrase, make this the first of the `SealingKeys`, and the key of the old
    /// passphrase a further one.
    ///
    /// # Errors
    ///
    /// As [`from_passphrase`](Self::from_passphrase); also if the store has 16 passphrases already.
    pub fn from_new_passphrase(
        store: &impl Store,
        passphrase: &SecretString,
    ) -> Result<Self, StoreError> {
        Derivation::begin(passphrase, true)?.run(store)
    }

    /// [`from_new_passphrase`](Self::from_new_passphrase) over an async store. The derivation occupies
    /// the thread.
    ///
    /// # Errors
    ///
    /// As [`from_new_passphrase`](Self::from_new_passphrase).
    pub async fn from_new_passphrase_async(
        store: &impl AsyncStore,
        passphrase: &SecretString,
    ) -> Result<Self, StoreError> {
        Derivation::begin(passphrase, true)?.run_async(store).await
    }
}

impl<'a> Derivation<'a> {
    fn begin(passphrase: &'a SecretString, is_new: bool) -> Result<Self, StoreError> {
        if passphrase.expose().is_empty() {
            return Err(misconfigured("the passphrase is empty"));
        }
        Ok(Self { passphrase, is_new, derived: None })
    }

    fn run(mut self, store: &impl Store) -> Result<SealingKey, StoreError> {
        for _ in 0..ATTEMPTS {
            match self.step(store.load(SALT)?)? {
                Step::Done(key) => return Ok(key),
                Step::Save(value, expect) => match store.save(SALT, &value, expect, None)? {
                    // The record is read again, because it alone counts.
                    Saved::As(_) | Saved::Conflict => {}
                },
            }
        }
        Err(contended())
    }

    async fn run_async(mut self, store: &impl AsyncStore) -> Result<SealingKey, StoreError> {
        for _ in 0..ATTEMPTS {
            match self.step(store.load(SALT).await?)? {
                Step::Done(key) => return Ok(key),
                Step::Save(value, expect) => match store.save(SALT, &value, expect, None).await? {
                    Saved::As(_) | Saved::Conflict => {}
                },
            }
        }
        Err(contended())
    }

    fn step(&mut self, record: Option<Record>) -> Result<Step, StoreError> {
        let (mut salt, expect) = match &record {
            None => (Salt::generate()?, Expect::Absent),
            Some(record) => (Salt::parse(&record.value.0)?, Expect::Version(record.version)),
        };
        let key = self.key(&salt)?;
        let id = id_of(&key);
        if salt.ids.contains(&id) {
            return Ok(Step::Done(SealingKey::new(*key)));
        }
        if record.is_some() && !self.is_new {
            return Err(misconfigured(
                "the passphrase is not one that this store was set up with; correct it, or add it \
                 with `SealingKey::from_new_passphrase`",
            ));
        }
        if salt.ids.len() >= MAX_IDS {
            return Err(misconfigured("the store has 16 passphrases already; use one of them"));
        }
        salt.ids.push(id);
        Ok(Step::Save(SecretBytes(salt.encode().into()), expect))
    }

    /// Derives the key, unless the last round did with the same salt.
    fn key(&mut self, salt: &Salt) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        if let Some((known, key)) = &self.derived
            && known.cost == salt.cost
            && known.salt == salt.salt
        {
            return Ok(key.clone());
        }
        let key = salt.derive(self.passphrase)?;
        self.derived = Some((salt.clone(), key.clone()));
        Ok(key)
    }
}

impl Salt {
    fn generate() -> Result<Self, StoreError> {
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt)?;
        Ok(Self { cost: COST, salt, ids: Vec::new() })
    }

    fn derive(&self, passphrase: &SecretString) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let Cost { memory, passes, lanes } = self.cost;
        let mut key = Zeroizing::new([0; 32]);
        Params::new(memory, passes, lanes, Some(key.len()))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon| {
                argon.hash_password_into(passphrase.expose().as_bytes(), &self.salt, &mut *key)
            })
            .map_err(|error| misconfigured(format!("Argon2id refuses the passphrase: {error}")))?;
        Ok(key)
    }

    fn encode(&self) -> Vec<u8> {
        let Cost { memory, passes, lanes } = self.cost;
        let mut bytes = MAGIC.to_vec();
        bytes.push(FORMAT);
        for number in [memory, passes, lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend(self.ids.iter().flatten());
        bytes
    }

    /// Reads a salt record. A cost outside the bounds is refused: a high one would exhaust this
    /// machine, and a low one would make the passphrase easy to guess.
    fn parse(bytes: &Bytes) -> Result<Self, StoreError> {
        let damaged = || {
            let detail = "the record `sealing/salt` is damaged, or of a newer version of the program; \
                          restore it from a backup, because no record opens without it";
            StoreError::new(StoreErrorKind::Unreadable, detail)
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let rest = rest.strip_prefix(&[FORMAT]).ok_or_else(damaged)?;
        let (memory, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (passes, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (lanes, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (&salt, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (ids, rest) = rest.as_chunks();
        let [memory, passes, lanes] =
            [memory, passes, lanes].map(|number| u32::from_be_bytes(*number));
        let is_bounded = (19 * 1024..=1024 * 1024).contains(&memory)
            && (2..=16).contains(&passes)
            && (1..=16).contains(&lanes);
        if !is_bounded || !rest.is_empty() || ids.len() > MAX_IDS {
            return Err(damaged());
        }
        Ok(Self { cost: Cost { memory, passes, lanes }, salt, ids: ids.to_vec() })
    }
}

fn misconfigured(detail: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, detail)
}

fn contended() -> StoreError {
    let detail = "other processes changed the record `sealing/salt` again and again; try again";
    StoreError::new(StoreErrorKind::Unavailable, detail)
}
