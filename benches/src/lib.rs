//! Nothing: the benches are the files beside this folder.
