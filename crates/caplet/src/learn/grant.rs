//! The grant of a call that is learnt from: the operator's, with the directories that he named open to it, and nothing that lasts.
//!
//! What always holds: no file can be reached that is in no directory that the operator named; every other class is as it was granted; files
//! of the host and buckets are not changed.

use std::path::PathBuf;
use std::sync::Arc;

use caplet_policy::{FilesystemRule, GuestPath, Mode, Rule};

use crate::buckets::{BucketOptions, BucketRequest, BucketStore};
use crate::error::Error;
use crate::grant::Grant;
use crate::mount::{MountRequest, StoreRequest};
use crate::session_data::SessionData;

impl Grant {
    /// This grant for calls that are learnt from.
    pub(super) fn learning(mut self) -> Result<Self, Error> {
        self.mount_cwd()?;
        for at in self.mounts.iter().map(|mount| mount.at.clone()).collect::<Vec<_>>() {
            let rule = Rule::from(FilesystemRule::below(&at, Mode::ReadWrite));
            self.texts.push(format!("allow {rule}"));
            self.rules.add_allow(rule);
        }
        self.is_disposable = true;
        self.forget_buckets();
        let data = SessionData::new(self.limits().file_writes);
        self.session.get_or_insert_with(|| Arc::new(data));
        Ok(self)
    }

    /// The directories that the operator named: what is mounted, and what rules name before their first wildcard.
    pub(super) fn named(&self) -> Vec<GuestPath> {
        let mounts = self.mounts.iter().map(|mount| mount.at.clone());
        mounts.chain(self.prefixes.iter().map(|prefix| prefix.path.clone())).collect()
    }

    /// The current directory, unless something is mounted there or above it.
    fn mount_cwd(&mut self) -> Result<(), Error> {
        if self.mounts.iter().any(|mount| self.cwd.starts_with(&mount.at)) {
            return Ok(());
        }
        let asked = "the current directory".to_owned();
        if self.cwd.is_root() {
            let reason = "it is the root, and learning would show the tool the whole host".to_owned();
            let hint = "change to the directory that the tool is to work in, or name one with --mount /=DIR".to_owned();
            return Err(Error::Grant { asked, reason, hint: Some(hint) });
        }
        let store = StoreRequest::Host(PathBuf::from(self.cwd.as_str()));
        let at = self.cwd.clone();
        self.mounts.push(MountRequest { at, store, read_only: false, quota: None, name: None, asked, trusted: None });
        Ok(())
    }

    /// Every bucket that a rule opens is empty at first, and gone with the session.
    fn forget_buckets(&mut self) {
        let operator = self.operator();
        let mut names: Vec<String> =
            operator.keyvalue().allowed().iter().map(|rule| rule.bucket().to_owned()).collect();
        names.extend(operator.keyvalue().asked().iter().map(|rule| rule.bucket().to_owned()));
        names.sort();
        names.dedup();
        let request = |name: String| BucketRequest {
            asked: format!("the bucket {name}"),
            name,
            store: BucketStore::Session,
            options: BucketOptions::default(),
            named: None,
        };
        self.buckets = names.into_iter().map(request).collect();
    }
}
