//! Tries targets with inputs that nobody thought of, for so long, and keeps the first find of each. See `scripts/fuzz`.

use std::hash::{BuildHasher, RandomState};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use vipkit_tests::fuzz::{TARGETS, Target, mutate, read, write};
use vipkit_tests::lan::dice::Dice;

/// Tries what must hold of adverts, routers and checks with inputs that nobody thought of.
#[derive(Debug, Parser)]
#[command(bin_name = "scripts/fuzz")]
struct Arguments {
    /// What to try
    #[arg(default_value = "all", value_parser = names())]
    target: String,
    /// How long, in seconds, for all together
    #[arg(default_value_t = 60)]
    seconds: u32,
    /// Makes the same inputs again; without it, others each time
    #[arg(long)]
    seed: Option<u64>,
    /// Runs only the input in this file
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

fn names() -> PossibleValuesParser {
    iter::once("all").chain(TARGETS.map(|target| target.name)).collect::<Vec<_>>().into()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<Target> = TARGETS
        .into_iter()
        .filter(|target| arguments.target == "all" || arguments.target == target.name)
        .collect();
    let seed = arguments.seed.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    let each = Duration::from_secs(arguments.seconds.into()) / u32::try_from(chosen.len()).unwrap_or(1);
    let mut failed = false;
    for target in chosen {
        let outcome = match &arguments.replay {
            Some(file) => replay(target, file),
            None => search(target, seed, each),
        };
        match outcome {
            Ok(said) => println!("{:<14} {said}", target.name),
            Err(said) => {
                eprintln!("{:<14} {said}", target.name);
                failed = true;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn replay(target: Target, file: &Path) -> Result<String, String> {
    let input = read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    target.attempt(&input)?;
    Ok(format!("{} holds", file.display()))
}

fn search(target: Target, seed: u64, length: Duration) -> Result<String, String> {
    let corpus = target.corpus().map_err(|error| format!("no corpus: {error}"))?;
    let corpus: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let mut dice = Dice::new(seed);
    let (start, mut runs) = (Instant::now(), 0_u64);
    while start.elapsed() < length {
        let input = mutate(&corpus, &mut dice);
        runs += 1;
        target.attempt(&input).map_err(|what| found(target, seed, runs, &what, &input))?;
    }
    let a_second = runs as f64 / start.elapsed().as_secs_f64();
    Ok(format!("{runs} runs, {a_second:.0} a second, no find, seed {seed}"))
}

/// Keeps a find, and says where.
fn found(target: Target, seed: u64, run: u64, what: &str, input: &[u8]) -> String {
    let name = target.name;
    let file = Path::new("target/finds").join(format!("{name}-{seed}-{run}.hex"));
    let kept = match write(&file, &format!("{name}: {what}"), input) {
        Ok(()) => format!("again: scripts/fuzz {name} --replay {}", file.display()),
        Err(error) => format!("not kept in {}: {error}", file.display()),
    };
    format!("FOUND in run {run}, seed {seed}: {what}\n{kept}")
}
