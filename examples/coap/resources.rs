//! The resources of the server, in memory.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::message::code;

const MAX_RESOURCES: usize = 64;

/// The resources that clients cannot change: the time, and the list of all others (RFC 6690).
pub(crate) const TIME: &str = "time";
pub(crate) const LIST: &str = ".well-known/core";

pub(crate) struct Resources {
    by_path: BTreeMap<String, Resource>,
    last_version: u32,
}

#[derive(Clone)]
pub(crate) struct Resource {
    pub(crate) content: Arc<[u8]>,
    /// Grows with each change, also if the resource was deleted before.
    pub(crate) version: u32,
}

impl Resources {
    pub(crate) fn new() -> Self {
        let mut resources = Self { by_path: BTreeMap::new(), last_version: 0 };
        resources.set_time();
        resources
    }

    pub(crate) fn set_time(&mut self) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.put(TIME, now.as_secs().to_string().as_bytes());
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Resource> {
        self.by_path.get(path)
    }

    /// Returns the code of the response.
    pub(crate) fn put(&mut self, path: &str, content: &[u8]) -> u8 {
        let is_new = !self.by_path.contains_key(path);
        if is_new && self.by_path.len() >= MAX_RESOURCES {
            return code(5, 3);
        }
        self.last_version += 1;
        let resource = Resource { content: content.into(), version: self.last_version };
        self.by_path.insert(path.to_owned(), resource);
        if is_new && path != LIST {
            self.list();
        }
        if is_new { code(2, 1) } else { code(2, 4) }
    }

    pub(crate) fn delete(&mut self, path: &str) -> u8 {
        if self.by_path.remove(path).is_some() {
            self.list();
        }
        code(2, 2)
    }

    fn list(&mut self) {
        let others = self.by_path.keys().filter(|path| *path != LIST);
        let links: Vec<_> = others.map(|path| format!("</{path}>;obs")).collect();
        self.put(LIST, links.join(",").as_bytes());
    }
}
