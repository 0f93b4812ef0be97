//! The inputs that fuzzing starts from, and those that it once found: each still holds.

use vipkit_tests::fuzz::TARGETS;

#[test]
fn every_input_of_the_corpus_holds() {
    for target in TARGETS {
        let corpus = target.corpus().unwrap();
        assert!(!corpus.is_empty(), "no corpus of {}", target.name);
        for (file, input) in corpus {
            assert_eq!(target.attempt(&input), Ok(()), "{}", file.display());
        }
    }
}
