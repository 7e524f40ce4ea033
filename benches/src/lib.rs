//! What the benches beside this folder share.

/// Returns the first quartile, the median and the third quartile of at least one value.
pub fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
