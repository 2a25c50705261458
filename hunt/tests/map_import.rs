//! GeoJSON in, map out: what becomes a street, what is left out and counted, what is refused.

use ironhoard_hunt::map::{
    import_geojson, import_geojson_file, ImportOptions, ImportReport, MapError, StreetMap, Travel,
};

fn import_as(text: &str, travel: Travel) -> Result<(StreetMap, ImportReport), MapError> {
    let options = ImportOptions {
        travel,
        ..ImportOptions::default()
    };
    import_geojson(text.as_bytes(), text.len() as u64, &options, &mut |_, _| {})
}

fn import(text: &str) -> Result<(StreetMap, ImportReport), MapError> {
    import_as(text, Travel::Foot)
}

/// A collection of LineStrings with the given properties and coordinates.
fn collection(streets: &[(&str, &str)]) -> String {
    let features: Vec<String> = streets
        .iter()
        .map(|(tags, line)| {
            format!(
                r#"{{"type":"Feature","properties":{tags},"geometry":{{"type":"LineString","coordinates":{line}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"type":"FeatureCollection","copyright":"© the mappers","features":[{}]}}"#,
        features.join(",")
    )
}

/// A square with a crossing street, so that everything is connected even with one-way sides.
fn square() -> String {
    collection(&[
        (
            r#"{"oneway":"yes","maxspeed":"30"}"#,
            "[[12.0,57.0],[12.001,57.0],[12.001,57.001],[12.0,57.001],[12.0,57.0]]",
        ),
        (
            r#"{"highway":"residential"}"#,
            "[[12.0,57.0],[12.001,57.001]]",
        ),
        ("{}", "[[13.0,58.0],[13.001,58.0]]"),
    ])
}

#[test]
fn equal_coordinates_are_one_node_and_islands_are_left_out() {
    let (map, report) = import(&square()).unwrap();
    assert_eq!((map.node_count(), map.arc_count()), (4, 10));
    assert_eq!(
        (report.features, report.streets, report.unconnected_places),
        (3, 3, 2)
    );
    assert_eq!(map.attribution(), "© the mappers");
    let info = map.info();
    assert_eq!((info.bounds.west, info.bounds.north), (12.0, 57.001));
    // Two sides of 111.2 m, two of 60.6 m, and a diagonal of 126.6 m.
    assert!(
        (info.street_km - 0.4702).abs() < 0.0005,
        "{}",
        info.street_km
    );
}

#[test]
fn vehicles_obey_one_way_streets() {
    let (map, _) = import_as(&square(), Travel::Vehicle).unwrap();
    assert_eq!((map.node_count(), map.arc_count()), (4, 6));
    let speeds: Vec<u8> = (0..4)
        .flat_map(|node| map.arcs_from(node))
        .map(|arc| arc.speed_kmh)
        .collect();
    assert_eq!(speeds.iter().filter(|&&speed| speed == 30).count(), 4);
    assert_eq!(speeds.iter().filter(|&&speed| speed == 50).count(), 2);
}

#[test]
fn the_same_text_gives_the_same_map() {
    assert_eq!(import(&square()).unwrap().0, import(&square()).unwrap().0);
}

#[test]
fn broken_features_are_counted_and_the_first_is_named() {
    let good = ("{}", "[[1,1],[1.001,1]]");
    for (broken, problem) in [
        ("[[1,1],[1,\"x\"]]", "two numbers"),
        ("[[1,1],[1]]", "two numbers"),
        ("[[1,1],[1,91]]", "beyond"),
        ("[[1,1],[1e300,1]]", "beyond"),
        ("[[1,1]]", "at least two"),
        ("[]", "at least two"),
        ("7", "no list"),
        ("null", "no list"),
        ("[[1,1],[3,1]]", "100 km"),
    ] {
        let (map, report) = import(&collection(&[good, ("null", broken)])).unwrap();
        assert_eq!((map.node_count(), report.streets, report.broken), (2, 1, 1));
        let first = report.first_broken.unwrap();
        assert!(
            first.starts_with("feature 2: ") && first.contains(problem),
            "{first}"
        );
    }
}

#[test]
fn what_is_no_street_is_counted() {
    let text = r#"{"features":[
        {"geometry":{"type":"Point","coordinates":[1,1]}},
        {"geometry":null}, {}, 5,
        {"properties":{"highway":"construction"},"geometry":{"type":"LineString","coordinates":[[1,1],[2,2]]}},
        {"geometry":{"type":"MultiLineString","coordinates":[[[1,1],[1.01,1]],[[1.01,1],[1.02,1]]]}}
        ],"type":"FeatureCollection","name":"late"}"#;
    let (map, report) = import(text).unwrap();
    assert_eq!((report.features, report.streets, report.other), (6, 1, 5));
    assert_eq!((map.name(), map.node_count()), ("late", 3));
}

#[test]
fn what_is_no_collection_is_refused_with_the_reason() {
    for (text, problem) in [
        ("", "EOF"),
        ("nonsense", "line 1"),
        ("[]", "FeatureCollection"),
        ("{}", "no FeatureCollection"),
        (
            r#"{"type":"Feature","features":[]}"#,
            "no FeatureCollection",
        ),
        (r#"{"type":"FeatureCollection","features":{}}"#, "list"),
        (r#"{"type":"FeatureCollection","features":[{}"#, "EOF"),
        (
            r#"{"type":"FeatureCollection","features":[]} x"#,
            "trailing",
        ),
        (&"[".repeat(100_000), "FeatureCollection"),
        (
            &format!(r#"{{"features":[{}"#, "[".repeat(100_000)),
            "recursion",
        ),
    ] {
        match import(text) {
            Err(MapError::GeoJson { problem: found }) => {
                assert!(found.contains(problem), "{found} instead of {problem}");
            }
            other => panic!("{problem}: {other:?}"),
        }
    }
}

#[test]
fn a_map_without_streets_says_what_was_there() {
    let empty = import(r#"{"type":"FeatureCollection","features":[]}"#).unwrap_err();
    assert!(empty.to_string().contains("0 features"), "{empty}");
    let one_place = import(&collection(&[("{}", "[[1,1],[1,1]]")])).unwrap_err();
    assert!(matches!(one_place, MapError::NoStreets { .. }));
    let broken = import(&collection(&[("{}", "[[1,1],[1,99]]")])).unwrap_err();
    assert!(
        broken
            .to_string()
            .contains("feature 1: a position is beyond"),
        "{broken}"
    );
}

#[test]
fn a_file_names_its_map_and_reports_progress() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("little-town.geojson");
    std::fs::write(&path, square()).unwrap();
    let mut last = (0, 0);
    let (map, _) = import_geojson_file(&path, &ImportOptions::default(), &mut |done, total| {
        last = (done, total)
    })
    .unwrap();
    assert_eq!(map.name(), "little-town");
    assert_eq!(last, (square().len() as u64, square().len() as u64));

    let missing = folder.path().join("nowhere.geojson");
    let error =
        import_geojson_file(&missing, &ImportOptions::default(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("nowhere.geojson"), "{error}");
}
