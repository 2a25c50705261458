//! OpenStreetMap PBF in, map out: what becomes a street, what is left out and counted, what is refused.

mod common;

use std::io::Cursor;

use common::pbf::{header, Block, File};
use ironhoard_hunt::map::{
    import_pbf, import_pbf_file, ImportOptions, ImportReport, MapError, StreetMap, Travel,
};

type Imported = Result<(StreetMap, ImportReport), MapError>;

fn import_as(bytes: &[u8], travel: Travel) -> Imported {
    let options = ImportOptions {
        travel,
        ..ImportOptions::default()
    };
    import_pbf(Cursor::new(bytes), &options, &mut |_, _| {})
}

fn import(bytes: &[u8]) -> Imported {
    import_as(bytes, Travel::Foot)
}

/// A square of streets 1–2–3–4, a one-way diagonal, an island, and what is no street.
fn town() -> File {
    let mut nodes = Block::default();
    nodes.dense(&[
        (1, 24.0, 60.0),
        (2, 24.001, 60.0),
        (3, 24.001, 60.001),
        (4, 24.0, 60.001),
        (90, 25.0, 61.0),
        (91, 25.001, 61.0),
    ]);
    let mut ways = Block::default();
    ways.way(
        10,
        &[1, 2, 3, 4, 1],
        &[("highway", "residential"), ("maxspeed", "30")],
    );
    ways.way(11, &[1, 3], &[("highway", "service"), ("oneway", "yes")]);
    ways.way(12, &[90, 91], &[("highway", "path")]);
    ways.way(13, &[1, 4], &[("building", "yes")]);
    ways.way(14, &[2, 4], &[("highway", "track"), ("access", "private")]);
    File::new(&[
        header(&["OsmSchema-V0.6", "DenseNodes"]),
        nodes.blob(),
        ways.blob(),
    ])
}

#[test]
fn ways_become_streets_and_shared_nodes_crossings() {
    let (map, report) = import(&town().bytes()).unwrap();
    assert_eq!((map.node_count(), map.arc_count()), (4, 10));
    assert_eq!((report.features, report.streets, report.other), (5, 3, 2));
    assert_eq!((report.unconnected_places, report.missing_places), (2, 0));
    assert!(map.attribution().contains("OpenStreetMap"));
    let info = map.info();
    assert_eq!((info.bounds.west, info.bounds.north), (24.0, 60.001));
    // Two sides of 111.2 m, two of 55.6 m, and a diagonal of 124.3 m.
    assert!(
        (info.street_km - 0.4579).abs() < 0.0005,
        "{}",
        info.street_km
    );
}

#[test]
fn vehicles_obey_one_way_tags_and_speeds_are_kept() {
    let (map, _) = import_as(&town().bytes(), Travel::Vehicle).unwrap();
    assert_eq!((map.node_count(), map.arc_count()), (4, 9));
    let speeds: Vec<u8> = (0..4)
        .flat_map(|node| map.arcs_from(node))
        .map(|arc| arc.speed_kmh)
        .collect();
    assert_eq!(speeds.iter().filter(|&&speed| speed == 30).count(), 9);
}

#[test]
fn plain_nodes_and_compressed_blobs_are_the_same() {
    let dense = import(&town().bytes()).unwrap().0;
    let mut nodes = Block::default();
    for (id, lon, lat) in [
        (4, 24.0, 60.001),
        (3, 24.001, 60.001),
        (2, 24.001, 60.0),
        (1, 24.0, 60.0),
    ] {
        nodes.node(id, lon, lat);
    }
    let mut ways = Block::default();
    ways.way(
        10,
        &[1, 2, 3, 4, 1],
        &[("highway", "residential"), ("maxspeed", "30")],
    );
    ways.way(11, &[1, 3], &[("highway", "service"), ("oneway", "yes")]);
    // The nodes behind the ways, which is unusual and allowed.
    let blobs = [
        header(&["OsmSchema-V0.6"]),
        ways.blob().compressed(),
        nodes.blob().compressed(),
    ];
    assert_eq!(import(&File::new(&blobs).bytes()).unwrap().0, dense);
}

#[test]
fn a_street_cut_at_the_border_ends_there() {
    let mut block = Block::default();
    block.dense(&[
        (1, 24.0, 60.0),
        (2, 24.001, 60.0),
        (4, 24.003, 60.0),
        (5, 24.004, 60.0),
    ]);
    block.way(7, &[1, 2, 3, 4], &[("highway", "path")]);
    block.way(8, &[3], &[("highway", "path")]);
    block.way(9, &[3, 6], &[("highway", "path")]);
    let file = File::new(&[header(&["DenseNodes"]), block.blob()]);
    let (map, report) = import(&file.bytes()).unwrap();
    assert_eq!((map.node_count(), report.missing_places), (2, 2));
    assert_eq!((report.streets, report.broken, report.other), (1, 1, 1));
    assert!(report.first_broken.unwrap().starts_with("way 8: "));
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let mut block = Block::default();
    block.dense(&[(1, 24.0, 60.0), (2, 24.001, 60.0)]);
    block.way(7, &[1, 2], &[("highway", "path")]);
    for (blobs, problem) in [
        (
            vec![header(&["HistoricalInformation"]), block.blob()],
            "HistoricalInformation",
        ),
        (vec![block.blob()], "before its header"),
        (vec![], "no header"),
    ] {
        let error = import(&File::new(&blobs).bytes()).unwrap_err();
        assert!(matches!(error, MapError::Pbf { .. }), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
    let mut far = Block::default();
    far.dense(&[(1, 24.0, 60.0), (2, 24.0, 92.0)]);
    far.way(7, &[1, 2], &[("highway", "path")]);
    let error = import(&File::new(&[header(&[]), far.blob()]).bytes()).unwrap_err();
    assert!(error.to_string().contains("node 2 is beyond"), "{error}");
}

#[test]
fn a_file_without_streets_says_what_it_holds_instead() {
    let mut block = Block::default();
    block.dense(&[(1, 24.0, 60.0), (2, 24.001, 60.0)]);
    block.way(7, &[1, 2], &[("waterway", "river")]);
    let error = import(&File::new(&[header(&[]), block.blob()]).bytes()).unwrap_err();
    assert!(matches!(error, MapError::NoStreets { .. }), "{error}");
    assert!(
        error.to_string().contains("1 features: 1 are no streets"),
        "{error}"
    );
}

/// Each byte changed, and each length cut: a map or an error that says what to do, never a panic.
#[test]
fn damage_is_answered() {
    std::panic::set_hook(Box::new(|_| {}));
    let good = town().bytes();
    let (mut maps, mut errors) = (0, 0);
    let mut count = |result: Imported| match result {
        Ok((map, _)) => {
            assert!(map.node_count() >= 2);
            maps += 1;
        }
        Err(error) => {
            assert!(error.to_string().contains("; "), "{error}");
            errors += 1;
        }
    };
    for at in 0..good.len() {
        for bit in [0, 3, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            count(import(&bad));
        }
        count(import(&good[..at]));
    }
    let _ = std::panic::take_hook();
    assert!(maps > 20 && errors > 20, "{maps} {errors}");
}

/// A file that ends exactly behind a block, as a download can. What it lost shows in what is missing.
#[test]
fn a_file_that_was_cut_between_blocks_says_what_it_lacks() {
    let mut blocks = std::array::from_fn::<_, 5, _>(|_| Block::default());
    let [west, east, first_ways, last_ways, relations] = &mut blocks;
    west.dense(&[(1, 24.0, 60.0), (2, 24.001, 60.0)]);
    east.dense(&[(3, 24.002, 60.0), (4, 24.003, 60.0)]);
    first_ways.way(10, &[1, 2], &[("highway", "path")]);
    last_ways.way(11, &[2, 3, 4], &[("highway", "path")]);
    relations.relation(12);
    let file = |kept: &[usize]| {
        let blobs = kept.iter().map(|&at| blocks[at].blob());
        let header = [header(&["DenseNodes"])];
        File::new(&header.into_iter().chain(blobs).collect::<Vec<_>>()).bytes()
    };
    let (map, report) = import(&file(&[0, 1, 2, 3, 4])).unwrap();
    assert_eq!((map.node_count(), report.may_be_cut), (4, false));
    for kept in [&[0, 1, 2, 3][..], &[0, 1, 2]] {
        assert!(import(&file(kept)).unwrap().1.may_be_cut, "{kept:?}");
    }
    for kept in [&[0, 1][..], &[0], &[]] {
        let error = import(&file(kept)).unwrap_err();
        assert!(matches!(error, MapError::NoStreets { .. }), "{error}");
    }
    // Ways first, which is allowed: the nodes are what is lost.
    let (_, report) = import(&file(&[4, 2, 3, 0])).unwrap();
    assert_eq!(report.missing_places, 2);
}

/// A block whose frame and checksum are right and whose content was cut before both were made: its only
/// street is lost, however the decoder takes it.
#[test]
fn a_right_frame_around_a_cut_block_makes_no_street() {
    let mut block = Block::default();
    block.dense(&[(1, 24.0, 60.0), (2, 24.001, 60.0)]);
    block.way(7, &[1, 2], &[("highway", "path")]);
    for lost in 1..9 {
        let cut = block.blob();
        let cut = cut.changed(|whole| whole[..whole.len() - lost].to_vec());
        let error = import(&File::new(&[header(&[]), cut.compressed()]).bytes()).unwrap_err();
        let (pbf, no_streets) = (
            matches!(error, MapError::Pbf { .. }),
            matches!(error, MapError::NoStreets { .. }),
        );
        assert!(pbf || no_streets, "{lost}: {error}");
    }
}

#[test]
fn a_file_is_named_after_itself_and_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old-town.osm.pbf");
    std::fs::write(&path, town().bytes()).unwrap();
    let mut steps = Vec::new();
    let imported = import_pbf_file(&path, &ImportOptions::default(), &mut |done, all| {
        steps.push((done, all));
    });
    assert_eq!(imported.unwrap().0.name(), "old-town");
    assert!(
        steps.windows(2).all(|pair| pair[0].0 <= pair[1].0),
        "{steps:?}"
    );
    assert!(steps
        .iter()
        .all(|&(done, all)| done <= all && all == 2 * town().bytes().len() as u64));
    let options = ImportOptions::default();
    let refused = import_pbf_file(folder.path(), &options, &mut |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("no regular file"), "{refused}");
    let missing = import_pbf_file(&folder.path().join("no"), &options, &mut |_, _| {});
    assert!(matches!(
        missing,
        Err(MapError::File { action: "open", .. })
    ));
}

/// The real city, where `scripts/fetch-map.sh` has brought it.
#[test]
#[ignore = "needs the file that scripts/fetch-map.sh fetches"]
fn helsinki_has_the_size_we_know() {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/helsinki.osm.pbf");
    for (travel, nodes, arcs) in [(Travel::Foot, 5790, 13798), (Travel::Vehicle, 1661, 2608)] {
        let options = ImportOptions {
            travel,
            ..ImportOptions::default()
        };
        let start = std::time::Instant::now();
        let (map, report) = import_pbf_file(fetched.as_ref(), &options, &mut |_, _| {}).unwrap();
        println!("{:?} {:?}\n{report:?}", start.elapsed(), map.info());
        assert_eq!(
            (map.node_count(), map.arc_count(), report.broken),
            (nodes, arcs, 0)
        );
    }
}
