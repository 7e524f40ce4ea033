//! The resources of the server, in memory.

use std::{collections::BTreeMap, time::SystemTime};

use coap_lite::ResponseType as Status;

const MAX_RESOURCES: usize = 64;

/// The resources that clients cannot change: the time, and the list of all others (RFC 6690).
pub(crate) const TIME: &str = "time";
pub(crate) const LIST: &str = ".well-known/core";

#[derive(Default)]
pub(crate) struct Resources {
    /// Contents and versions. A version grows with each change, also if the resource was deleted before.
    pub(crate) by_path: BTreeMap<String, (Vec<u8>, u32)>,
    last_version: u32,
}

impl Resources {
    pub(crate) fn set_time(&mut self) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.put(TIME, now.as_secs().to_string().into());
    }

    /// Whether a resource has this version.
    pub(crate) fn is_newest(&self, (path, version): &(String, u32)) -> bool {
        self.by_path.get(path).is_some_and(|(_, newest)| newest == version)
    }

    pub(crate) fn put(&mut self, path: &str, content: Vec<u8>) -> Status {
        let is_new = !self.by_path.contains_key(path);
        if is_new && self.by_path.len() >= MAX_RESOURCES {
            return Status::ServiceUnavailable;
        }
        self.last_version += 1;
        self.by_path.insert(path.to_owned(), (content, self.last_version));
        if is_new && path != LIST {
            self.list();
        }
        if is_new { Status::Created } else { Status::Changed }
    }

    pub(crate) fn delete(&mut self, path: &str) -> Status {
        self.by_path.remove(path);
        self.list();
        Status::Deleted
    }

    fn list(&mut self) {
        let others = self.by_path.keys().filter(|path| *path != LIST);
        let links: Vec<_> = others.map(|path| format!("</{path}>;obs")).collect();
        self.put(LIST, links.join(",").into());
    }
}
