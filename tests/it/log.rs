//! What is told through `tracing` on the thread of a test, kept to be looked at.

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

/// Keeps the events of this thread as long as it lives: for tests on a current-thread runtime.
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
    /// The spans it was told in, from the inside out.
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

    /// As [`capture`](Self::capture), after `first` has been told.
    pub fn capture_behind(first: impl Layer<Registry> + Send + Sync) -> Self {
        /// As long as there is only one dispatcher, a thread without it can decide for all threads
        /// that a place in the code tells nothing. Beside these two none is ever alone.
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

    /// What was told at WARN or above: nothing, if all was quiet.
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
        assert_eq!(alarms.len(), 1, "not exactly one event: {alarms:#?}");
        alarms.remove(0)
    }
}

impl Told {
    /// A field by its name, empty if it has none of this name.
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
