//! The pages of the endpoint.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::task::JoinSet;

use super::targets::Target;
use crate::{PrometheusPage, Termination};

/// What the pages are about.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) targets: Vec<Target>,
    /// How `/drain` ends servers, if it may.
    pub(super) termination: Option<Termination>,
    /// How long `/live` waits for a worker.
    pub(super) blocked_after: Duration,
}

/// A page of text.
type Text = (StatusCode, String);

fn refused(status: StatusCode, reason: &str) -> Text {
    (status, format!("{reason}\n"))
}

/// Lines about servers; `well` says whether they are well.
const fn page(well: bool, lines: String) -> Text {
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
}

impl Pages {
    pub(super) fn router(self) -> Router {
        let mut router = Router::new().route("/", get(async || INDEX));
        for (page, methods) in [
            ("/live", get(live)),
            ("/ready", get(ready)),
            ("/metrics", get(metrics)),
            ("/diagnostics", get(diagnostics)),
            ("/drain", post(drain)),
        ] {
            router =
                router.route(page, methods.clone()).route(&format!("{page}/{{server}}"), methods);
        }
        router.with_state(Arc::new(self))
    }

    /// The server with this name, or all if there is none.
    fn find(&self, name: Option<Path<String>>) -> Result<&[Target], Text> {
        let Some(Path(name)) = name else { return Ok(&self.targets) };
        match self.targets.iter().position(|target| target.name == name) {
            Some(at) => Ok(&self.targets[at..=at]),
            None => Err(refused(StatusCode::NOT_FOUND, "there is no such server")),
        }
    }
}

async fn live(State(pages): State<Arc<Pages>>, name: Option<Path<String>>) -> Result<Text, Text> {
    let mut asked = JoinSet::new();
    for (n, target) in pages.find(name)?.iter().enumerate() {
        let (target, within) = (target.clone(), pages.blocked_after);
        asked.spawn(async move { (n, target.handle.blocked_workers(within).await, target.name) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(n, ..)| *n);
    let mut lines = String::new();
    for (_, blocked, name) in &answers {
        if blocked.is_empty() {
            lines += &format!("{name}: live\n");
        }
        for worker in blocked {
            lines += &format!("{name}: {worker}\n");
        }
    }
    Ok(page(answers.iter().all(|(_, blocked, _)| blocked.is_empty()), lines))
}

async fn ready(State(pages): State<Arc<Pages>>, name: Option<Path<String>>) -> Result<Text, Text> {
    let (mut lines, mut all) = (String::new(), true);
    for Target { name, handle, .. } in pages.find(name)? {
        match handle.readiness() {
            Ok(()) => lines += &format!("{name}: ready\n"),
            Err(reason) => {
                all = false;
                lines += &format!("{name}: not ready: {reason}\n");
            }
        }
    }
    Ok(page(all, lines))
}

async fn metrics(
    State(pages): State<Arc<Pages>>,
    name: Option<Path<String>>,
) -> Result<Response, Text> {
    let page = pages.find(name)?.iter().fold(PrometheusPage::new(), |page, target| {
        page.server(&target.handle.stats(), &[("server", &target.name)])
    });
    let content = [(header::CONTENT_TYPE, PrometheusPage::CONTENT_TYPE)];
    Ok((content, page.to_string()).into_response())
}

async fn diagnostics(
    State(pages): State<Arc<Pages>>,
    name: Option<Path<String>>,
) -> Result<Text, Text> {
    let targets = pages.find(name)?.iter();
    let about = targets.map(|target| format!("{}\n{}\n", target.name, target.handle.diagnostics()));
    Ok(page(true, about.collect::<Vec<_>>().join("\n")))
}

async fn drain(
    State(pages): State<Arc<Pages>>,
    headers: HeaderMap,
    name: Option<Path<String>>,
) -> Result<Text, Text> {
    let targets = pages.find(name)?;
    let Some(termination) = pages.termination else {
        let reason = "the program does not allow it: see `Admin::drain`";
        return Err(refused(StatusCode::FORBIDDEN, reason));
    };
    // A page of another site, in a browser on this host.
    if headers.contains_key(header::ORIGIN) {
        return Err(refused(StatusCode::FORBIDDEN, "a browser may not do that"));
    }
    let mut lines = String::new();
    for target in targets {
        target.terminate(termination).map_err(|error| {
            let reason = format!("{}: cannot start a thread: {error}", target.name);
            refused(StatusCode::INTERNAL_SERVER_ERROR, &reason)
        })?;
        lines += &format!("{}: drains\n", target.name);
    }
    Ok((StatusCode::ACCEPTED, lines))
}

const INDEX: &str = "\
GET /live, /ready, /metrics, /diagnostics
POST /drain
A name of a server may follow, as in /ready/NAME.
";
