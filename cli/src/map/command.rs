//! `ironhoard map import`, `generate` and `info`.

use std::path::{Path, PathBuf};

use ironhoard_hunt::map::{
    generate, GenerateOptions, ImportOptions, ImportReport, MapError, MapInfo, MapMemory, MapPages,
};
use serde::Serialize;

use crate::exit::{Ending, Failure};
use crate::report::{self, Report};

use super::args::{GenerateArguments, ImportArguments, InfoArguments, MapCommand};
use super::source::{self, Bar};

/// What each subcommand says of a map, in the words of its JSON keys.
#[derive(Debug, Serialize)]
struct MapResult {
    #[serde(flatten)]
    info: MapInfo,
    /// On what pages it lies in this process, in bytes.
    pages: MapPages,
    /// Where it was written to.
    output: Option<PathBuf>,
    /// What the import found in the file.
    import: Option<ImportReport>,
}

/// Runs `map`.
pub fn run(command: &MapCommand, report: &Report) -> Result<Ending, Failure> {
    let result = match command {
        MapCommand::Import(arguments) => import(arguments, report)?,
        MapCommand::Generate(arguments) => make(arguments, report)?,
        MapCommand::Info(arguments) => info(arguments, report)?,
    };
    report.show(&result, as_table)?;
    Ok(Ending::Done)
}

/// The exit code for a map that cannot be used.
pub fn ending(error: &MapError) -> Ending {
    match error {
        MapError::Generate { .. } => Ending::Usage,
        _ => Ending::Environment,
    }
}

fn import(arguments: &ImportArguments, report: &Report) -> Result<MapResult, MapError> {
    let options = ImportOptions {
        name: arguments.name.clone(),
        attribution: arguments.attribution.clone(),
        travel: arguments.travel.into(),
    };
    let (map, found) = source::import(&arguments.source, &options, report)?;
    let beside = || source::prepared_beside(&arguments.source);
    let output = arguments.output.clone().unwrap_or_else(beside);
    map.save(&output)?;
    Ok(MapResult {
        info: map.info(),
        pages: map.pages(),
        output: Some(output),
        import: Some(found),
    })
}

fn make(arguments: &GenerateArguments, report: &Report) -> Result<MapResult, MapError> {
    let seed = arguments.seed;
    let city = arguments.nodes.map_or_else(
        || GenerateOptions::like_gothenburg(seed),
        |nodes| GenerateOptions::city(nodes, seed),
    );
    let options = GenerateOptions {
        streets: arguments
            .streets
            .or(arguments.arcs.map(|arcs| arcs / 2))
            .unwrap_or(city.streets),
        ..city
    };
    let mut bar = Bar::new(report, "building a city");
    let map = generate(&options, &mut |done, all| bar.set(done, all))?;
    drop(bar);
    map.save(&arguments.output)?;
    Ok(MapResult {
        info: map.info(),
        pages: map.pages(),
        output: Some(arguments.output.clone()),
        import: None,
    })
}

fn info(arguments: &InfoArguments, report: &Report) -> Result<MapResult, MapError> {
    let found = source::read(
        &arguments.map,
        MapMemory::Huge,
        &ImportOptions::default(),
        report,
    )?;
    Ok(MapResult {
        info: found.map.info(),
        pages: found.map.pages(),
        output: None,
        import: None,
    })
}

fn as_table(result: &MapResult) -> String {
    let mut table = report::table(&["map", &result.info.name]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    let info = &result.info;
    row("nodes", info.nodes.to_string());
    row("arcs", info.arcs.to_string());
    row("streets", format!("{:.1} km", info.street_km));
    row("arcs a node", format!("{:.2}", info.mean_degree));
    row("bytes", info.bytes.to_string());
    row("… on 2 MiB pages", result.pages.huge_bytes.to_string());
    let bounds = &info.bounds;
    row(
        "longitude",
        format!("{:.4}° to {:.4}°", bounds.west, bounds.east),
    );
    row(
        "latitude",
        format!("{:.4}° to {:.4}°", bounds.south, bounds.north),
    );
    if let Some(import) = &result.import {
        row("features", import.features.to_string());
        row("… that became streets", import.streets.to_string());
        row("… left out, no streets", import.other.to_string());
        row("… left out, broken", import.broken.to_string());
        row(
            "places not connected",
            import.unconnected_places.to_string(),
        );
        row("places not in the file", import.missing_places.to_string());
    }
    let cut = match result
        .import
        .as_ref()
        .is_some_and(|import| import.may_be_cut)
    {
        true => "\nno relations follow the ways: if the file should have some, it was cut short",
        false => "",
    };
    let first_broken = result
        .import
        .as_ref()
        .and_then(|import| import.first_broken.as_ref())
        .map_or_else(String::new, |first| format!("\nfirst broken: {first}"));
    let written = |path: &PathBuf| format!("\nwritten to {}", Path::new(path).display());
    let output = result.output.as_ref().map_or_else(String::new, written);
    format!("{table}\n{}{first_broken}{cut}{output}", info.attribution)
}
