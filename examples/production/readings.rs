//! What the service knows, and its packets.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

/// Strangers choose the names, so there is a bound on how many are kept, and on how long they are.
const MAX_SENSORS: usize = 10_000;
const MAX_NAME: usize = 40;

#[derive(Debug, Deserialize)]
pub(crate) struct Reading {
    sensor: String,
    value: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Mean(f64),
    NameTooLong,
    TooManySensors,
}

/// The number of readings of each sensor, and their mean.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<HashMap<String, (u64, f64)>>);

impl Readings {
    pub(crate) fn record(&self, Reading { sensor, value }: Reading) -> Answer {
        let mut sensors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sensor.len() > MAX_NAME {
            return Answer::NameTooLong;
        }
        if sensors.len() == MAX_SENSORS && !sensors.contains_key(&sensor) {
            return Answer::TooManySensors;
        }
        let (count, mean) = sensors.entry(sensor).or_default();
        *count += 1;
        *mean += (value - *mean) / *count as f64;
        Answer::Mean(*mean)
    }
}
