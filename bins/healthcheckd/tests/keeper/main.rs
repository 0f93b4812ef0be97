//! Keepers and the programs that they keep, as real processes.

#[cfg(test)]
mod programs;
