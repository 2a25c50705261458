//! The real city, where `scripts/fetch-map.sh` has brought it: the import gives the map we know.
//!
//! Run with `cargo test -p ironhoard-hunt --test gothenburg -- --ignored`.

use std::path::PathBuf;

use ironhoard_hunt::map::{import_geojson_file, ImportOptions, StreetMap, Travel};

/// The fetched file, or the one that `IRONHOARD_MAP` names.
fn source() -> PathBuf {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/gothenburg.geojson");
    std::env::var_os("IRONHOARD_MAP").map_or_else(|| fetched.into(), PathBuf::from)
}

#[test]
#[ignore = "needs the file that scripts/fetch-map.sh fetches"]
fn the_city_has_the_size_we_know() {
    let sizes = [
        (Travel::Foot, 94_864, 213_832),
        (Travel::Vehicle, 47_536, 86_480),
    ];
    for (travel, nodes, arcs) in sizes {
        let options = ImportOptions {
            travel,
            ..ImportOptions::default()
        };
        let start = std::time::Instant::now();
        let (map, report) = import_geojson_file(&source(), &options, &mut |_, _| {}).unwrap();
        println!("{:?} {:?}\n{report:?}", start.elapsed(), map.info());
        assert_eq!((map.node_count(), map.arc_count()), (nodes, arcs));
        assert!(map.attribution().contains("openstreetmap"));
        assert_eq!(report.broken, 0);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.ihmap");
        map.save(&path).unwrap();
        let start = std::time::Instant::now();
        assert_eq!(StreetMap::load(&path).unwrap(), map);
        println!(
            "saved {} bytes, loaded and compared in {:?}",
            path.metadata().unwrap().len(),
            start.elapsed()
        );
    }
}
