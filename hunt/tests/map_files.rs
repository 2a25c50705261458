//! Prepared map files: what is saved comes back, and whatever else lies in the file is refused.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ironhoard_hunt::game::{Game, GameOptions};
use ironhoard_hunt::map::{generate, GenerateOptions, MapError, MapMemory, StreetMap};
use ironhoard_hunt::oracle::{City, Oracle};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::walk::{BadRates, WalkOptions, Walkers};
use sha2::{Digest, Sha256};

fn town() -> StreetMap {
    generate(&GenerateOptions::city(60, 3), &mut |_, _| {}).unwrap()
}

fn saved(folder: &Path) -> Vec<u8> {
    let path = folder.join("town.ihmap");
    town().save(&path).unwrap();
    std::fs::read(path).unwrap()
}

fn load(folder: &Path, bytes: &[u8]) -> Result<StreetMap, MapError> {
    let path = folder.join("other.ihmap");
    std::fs::write(&path, bytes).unwrap();
    let own = StreetMap::load(&path);
    for memory in [MapMemory::File, MapMemory::FileFirst] {
        let mapped = StreetMap::load_into(&path, memory);
        match (&mapped, &own) {
            (Ok(mapped), Ok(own)) => assert_eq!(mapped, own),
            (Err(mapped), Err(own)) => assert_eq!(mapped.to_string(), own.to_string()),
            _ => panic!("{mapped:?} mapped, {own:?} read"),
        }
    }
    own
}

/// Puts the right checksum on changed content.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::new()
        .chain_update(&bytes[..32])
        .chain_update(&bytes[64..])
        .finalize();
    bytes[32..64].copy_from_slice(&sum);
    bytes
}

#[test]
fn a_saved_map_comes_back_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = saved(folder.path());
    assert_eq!(load(folder.path(), &bytes).unwrap(), town());
    town().save(&folder.path().join("town.ihmap")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_map_is_the_same_in_all_memory_and_says_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("town.ihmap");
    // Large enough for a 2 MiB page, where the kernel has some.
    let city = generate(&GenerateOptions::city(80_000, 3), &mut |_, _| {}).unwrap();
    city.save(&path).unwrap();
    let own = StreetMap::load_into(&path, MapMemory::Huge).unwrap();
    let mapped = StreetMap::load_into(&path, MapMemory::File).unwrap();
    assert!(own == city && mapped == city);
    for map in [&own, &mapped] {
        let pages = map.pages();
        assert_eq!(pages.huge_bytes + pages.small_bytes, map.bytes());
    }
    assert_eq!(map_lines(&path), 1, "only one of the two is the file");
    assert_eq!(path.metadata().unwrap().len(), city.bytes());
    drop(mapped);
    assert_eq!(map_lines(&path), 0, "the file is unmapped with its map");
}

/// Larger than a 2 MiB page: smaller maps are read at once.
fn large_town() -> StreetMap {
    generate(&GenerateOptions::city(80_000, 3), &mut |_, _| {}).unwrap()
}

#[test]
fn a_map_moves_away_from_its_file_once_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moves.ihmap");
    let city = large_town();
    city.save(&path).unwrap();
    let map = StreetMap::load_into(&path, MapMemory::FileFirst).unwrap();
    assert_eq!((map_lines(&path), map == city), (1, true));
    map.settle().unwrap();
    assert_eq!((map_lines(&path), map == city), (0, true));
    let pages = map.pages();
    assert_eq!(pages.huge_bytes + pages.small_bytes, map.bytes());
    std::fs::remove_file(&path).unwrap();
    map.settle().unwrap();
    assert_eq!(map, city);
    let small = town();
    small.save(&path).unwrap();
    let small = StreetMap::load_into(&path, MapMemory::FileFirst).unwrap();
    assert_eq!(map_lines(&path), 0, "what fits a page is read");
    assert!(small.settle().is_ok() && small == town());
}

#[test]
fn a_file_that_was_changed_in_place_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.ihmap");
    let good = {
        large_town().save(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    // A right checksum does not make it the file that was checked.
    for changed in [bad.clone(), sealed(bad)] {
        std::fs::write(&path, &good).unwrap();
        let map = StreetMap::load_into(&path, MapMemory::FileFirst).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path);
        file.unwrap().write_all_at(&changed, 0).unwrap();
        let refused = map.settle().unwrap_err();
        assert!(
            refused.to_string().contains("changed in place"),
            "{refused}"
        );
        assert_eq!(map_lines(&path), 1, "it stays where it is");
        assert!(map != large_town());
    }
}

/// Nothing of the map is read here after the cut: that would be the end of this process.
#[test]
fn a_file_that_was_cut_short_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.ihmap");
    large_town().save(&path).unwrap();
    let map = StreetMap::load_into(&path, MapMemory::FileFirst).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(map.bytes() - 4096).unwrap();
    let refused = map.settle().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_large_map_is_checked_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.ihmap");
    large_town().save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    for at in (40..good.len()).step_by(good.len() / 5) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        load(folder.path(), &bad).expect_err("a damaged map was taken");
    }
    assert!(load(folder.path(), &good).is_ok());
}

/// How many mappings of this process are of that file.
fn map_lines(path: &Path) -> usize {
    let name = path.to_str().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.ends_with(name)).count()
}

/// A map stands as long as its file is replaced the way `save` does it.
#[test]
fn a_mapped_file_that_is_replaced_stays_for_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("town.ihmap");
    town().save(&path).unwrap();
    let mapped = StreetMap::load_into(&path, MapMemory::File).unwrap();
    let other = generate(&GenerateOptions::city(90, 4), &mut |_, _| {}).unwrap();
    other.save(&path).unwrap();
    assert_eq!(mapped, town());
    assert_eq!(StreetMap::load(&path).unwrap(), other);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved(folder.path());
    for at in (0..good.len()).filter(|&at| at < 256 || at % 13 == 0) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let error = load(folder.path(), &bad).expect_err("a damaged map was taken");
        assert!(error.to_string().contains("prepare it again"), "{error}");
    }
}

#[test]
fn every_truncation_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved(folder.path());
    for length in (0..good.len()).filter(|length| length % 8 == 0 || *length < 80) {
        assert!(matches!(
            load(folder.path(), &good[..length]),
            Err(MapError::Damaged { .. })
        ));
    }
    let longer = [&good[..], &[0; 64]].concat();
    assert!(matches!(
        load(folder.path(), &longer),
        Err(MapError::Damaged { .. })
    ));
}

#[test]
fn a_right_checksum_over_wrong_content_does_not_help() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved(folder.path());
    let map = town();
    let padded = |bytes: usize| bytes.next_multiple_of(64);
    let nodes = map.node_count() as usize;
    let points = 64 + padded(8 * nodes);
    let first_arcs = points + padded(12 * nodes);
    let arcs = first_arcs + padded(4 * (nodes + 1));
    let name = arcs + padded(8 * map.arc_count() as usize);
    for (at, word, problem) in [
        (64, i32::MAX as u32, "beyond"),
        (64 + 4, i32::MIN as u32, "beyond"),
        (points, i32::MIN as u32, "outside the earth"),
        (first_arcs, 1, "not in order"),
        (first_arcs + 8, u32::MAX, "not in order"),
        (first_arcs + 4 * nodes, 0, "not in order"),
        (arcs, nodes as u32, "arc 0 leads nowhere"),
        (arcs + 4, 0, "arc 0 leads nowhere"),
        (name, u32::MAX, "UTF-8"),
        (good.len() - 4, 1, "gaps"),
    ] {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let error = load(folder.path(), &sealed(bad)).expect_err(problem);
        assert!(
            error.to_string().contains(problem),
            "{error} instead of {problem}"
        );
    }
}

#[test]
fn impossible_sizes_are_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved(folder.path());
    for word in [3, 4, 5, 6] {
        for size in [0, u32::MAX, u32::MAX - 1] {
            let mut bad = good.clone();
            bad[4 * word..4 * word + 4].copy_from_slice(&u32::to_le_bytes(size));
            assert!(load(folder.path(), &sealed(bad)).is_err());
        }
    }
}

#[test]
fn foreign_files_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut newer = saved(folder.path());
    newer[8] = 9;
    assert!(matches!(
        load(folder.path(), &newer),
        Err(MapError::Version { found: 9, .. })
    ));
    let foreign = load(folder.path(), &[b'x'; 4096]).unwrap_err();
    assert!(foreign.to_string().contains("no prepared map"), "{foreign}");
    let missing = StreetMap::load(&folder.path().join("missing.ihmap")).unwrap_err();
    assert!(matches!(missing, MapError::File { action: "open", .. }));
    let directory = StreetMap::load(folder.path()).unwrap_err();
    assert!(
        directory.to_string().contains("no regular file"),
        "{directory}"
    );
}

#[test]
fn a_save_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("taken");
    std::fs::create_dir(&target).unwrap();
    assert!(matches!(
        town().save(&target),
        Err(MapError::File {
            action: "write",
            ..
        })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(town()
        .save(&folder.path().join("no/such/folder/map.ihmap"))
        .is_err());
}

/// Whoever can write the file can write the checksum too: what passes must still be harmless.
#[test]
fn a_changed_map_with_a_right_checksum_is_refused_or_can_be_walked() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved(folder.path());
    let secret = WorldSecret::from_seed(1);
    let mut walked = 0;
    for at in (64..good.len()).step_by(11) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(map) = load(folder.path(), &sealed(changed)) else {
            continue;
        };
        let map = Arc::new(map);
        let walk = WalkOptions {
            rates: BadRates::each(50_000),
            ..WalkOptions::honest(0..4, at as u64)
        };
        let options = GameOptions {
            players: 4,
            max_speed_cm_s: walk.max_speed_cm_s,
            secret: secret.clone(),
        };
        let mut game = Game::new(map.clone(), &options).unwrap();
        let mut oracle = Oracle::new(City::new(&map), &options);
        for step in Walkers::new(map, &secret, &walk).unwrap().take(100) {
            assert_eq!(game.apply(&step.bytes), oracle.answer(&step.bytes));
        }
        walked += 1;
    }
    assert!(walked > 50, "{walked}");
}
