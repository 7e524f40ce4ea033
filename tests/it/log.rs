//! Captures the events that are logged through `tracing` on the thread of a test.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{
    Dispatch, Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, Identity, SubscriberExt},
    registry::LookupSpan,
};

/// Captures the events of this thread until it is dropped: for tests on a current-thread runtime.
pub struct Log {
    told: Arc<Mutex<Vec<Told>>>,
    _guard: DefaultGuard,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Told {
    pub level: Level,
    pub message: String,
    pub fields: BTreeMap<String, String>,
    /// The spans in which it was logged, from the innermost to the outermost.
    pub spans: Vec<Scope>,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub name: &'static str,
    pub fields: BTreeMap<String, String>,
}

impl Log {
    pub fn capture() -> Self {
        Self::capture_behind(Identity::new())
    }

    /// Does the same as [`capture`](Self::capture), but `first` gets each event before the capture.
    pub fn capture_behind(first: impl Layer<Registry> + Send + Sync) -> Self {
        /// While there is only one dispatcher, a thread without it can disable a callsite for all
        /// threads. With these two more, there is never only one.
        static NEVER_ALONE: LazyLock<[Dispatch; 2]> = LazyLock::new(|| {
            [Dispatch::new(Registry::default()), Dispatch::new(Registry::default())]
        });

        LazyLock::force(&NEVER_ALONE);
        let told = Arc::default();
        let subscriber = Registry::default().with(first).with(Capture(Arc::clone(&told)));
        Self { told, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub fn all(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub fn at(&self, level: Level) -> Vec<Told> {
        self.all().into_iter().filter(|told| told.level == level).collect()
    }

    /// The events at WARN or above.
    pub fn alarms(&self) -> Vec<Told> {
        self.all().into_iter().filter(|told| told.level <= Level::WARN).collect()
    }

    pub fn messages(&self, level: Level) -> Vec<String> {
        self.at(level).into_iter().map(|told| told.message).collect()
    }

    /// The one event at WARN or above.
    #[track_caller]
    pub fn alarm(&self) -> Told {
        let mut alarms = self.alarms();
        assert_eq!(alarms.len(), 1, "expected exactly one event: {alarms:#?}");
        alarms.remove(0)
    }
}

impl Told {
    /// The field with this name; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value)
    }
}

struct Capture(Arc<Mutex<Vec<Told>>>);

impl<S> Layer<S> for Capture
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let spans = context.event_scope(event).into_iter().flatten().map(|span| {
            let fields = span.extensions().get::<Fields>().unwrap().0.clone();
            Scope { name: span.name(), fields }
        });
        let (level, spans) = (*event.metadata().level(), spans.collect());
        self.0.lock().unwrap().push(Told { level, message, fields: fields.0, spans });
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
