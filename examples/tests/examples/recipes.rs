//! The recipes of the cookbook: each runs to its end by itself.

use crate::program::Program;

/// What a recipe prints, after it has ended without an error.
fn printed(recipe: &str) -> Vec<String> {
    let (code, lines) = Program::start(recipe, [] as [&str; 0]).end();
    assert_eq!(code, Some(0), "{lines:?}");
    lines
}

#[test]
fn shared_state_counts_the_visitors_of_all_calls() {
    let lines = [
        "Welcome, Ada, you are visitor 1.",
        "Welcome, Bob, you are visitor 2.",
        "2 visitors in all",
    ];
    assert_eq!(printed("shared_state"), lines);
}

#[test]
fn background_task_saves_what_the_handler_has_collected() {
    let lines = ["saved 21.5", "saved 22", "the task has ended"];
    assert_eq!(printed("background_task"), lines);
}
