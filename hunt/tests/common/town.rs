//! A town with one-way streets, for everything that must not take the way back for granted.

use ironhoard_hunt::map::{import_geojson, ImportOptions, StreetMap, Travel};

/// A ring of one-way streets with crossings that can be walked both ways.
pub fn one_way_city() -> StreetMap {
    let mut features = Vec::new();
    let place = |at: u32| {
        let angle = f64::from(at) / 60.0 * std::f64::consts::TAU;
        format!("[{:.6},{:.6}]", 0.005 * angle.cos(), 0.005 * angle.sin())
    };
    let mut street = |tags: &str, from: u32, to: u32| {
        features.push(format!(
            r#"{{"type":"Feature","properties":{tags},"geometry":{{"type":"LineString","coordinates":[{},{}]}}}}"#,
            place(from), place(to % 60),
        ));
    };
    for at in 0..60 {
        street(r#"{"oneway":"yes"}"#, at, at + 1);
        if at % 7 == 0 {
            street("{}", at, at + 3);
        }
    }
    let text = format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        features.join(",")
    );
    let options = ImportOptions {
        travel: Travel::Vehicle,
        ..ImportOptions::default()
    };
    let (map, _) = import_geojson(text.as_bytes(), 0, &options, &mut |_, _| {}).unwrap();
    let is_one_way = |from: u32| {
        map.arcs_from(from)
            .iter()
            .any(|arc| map.arc(arc.to, from).is_none())
    };
    assert!((0..map.node_count()).any(is_one_way));
    map
}
