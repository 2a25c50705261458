//! Places on the sphere, twice: in degrees for people and files, in centimetres for arithmetic.
//!
//! A move must be judged the same on every machine, and `sin` and `cos` are not the same on every
//! machine. So they are used once, when a map is made: each node gets a [`Point`], whole centimetres
//! from the earth's centre, and from then on distances are exact integers. The straight line through
//! the earth is shorter than the way over it by d³/24R²: a millimetre in 10 km.

use bytemuck::{Pod, Zeroable};

/// Radius of the sphere that all lengths are measured on.
pub const EARTH_RADIUS_METRES: f64 = 6_371_008.8;

/// The same radius in centimetres, rounded up: no coordinate of a [`Point`] is larger.
const EARTH_RADIUS_CM: i32 = 637_100_880;

/// A place in units of 10⁻⁷ degree, about a centimetre: the precision of OpenStreetMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct LonLat {
    /// Longitude × 10⁷, within ±1 800 000 000.
    pub lon_e7: i32,
    /// Latitude × 10⁷, within ±900 000 000.
    pub lat_e7: i32,
}

impl LonLat {
    /// The place at these degrees; `None` where there is no such place (beyond ±180 or ±90, NaN).
    ///
    /// ```
    /// use ironhoard_hunt::map::LonLat;
    /// assert_eq!(LonLat::from_degrees(11.97, 57.7).unwrap().lat_e7, 577_000_000);
    /// assert!(LonLat::from_degrees(11.97, 97.7).is_none());
    /// ```
    pub fn from_degrees(lon: f64, lat: f64) -> Option<LonLat> {
        let sane = lon.abs() <= 180.0 && lat.abs() <= 90.0;
        sane.then(|| LonLat {
            lon_e7: (lon * 1e7).round() as i32,
            lat_e7: (lat * 1e7).round() as i32,
        })
    }

    /// Longitude in degrees.
    pub fn lon_degrees(&self) -> f64 {
        f64::from(self.lon_e7) / 1e7
    }

    /// Latitude in degrees.
    pub fn lat_degrees(&self) -> f64 {
        f64::from(self.lat_e7) / 1e7
    }

    /// Whether both halves are within their limits.
    pub(super) fn is_on_earth(&self) -> bool {
        self.lon_e7.unsigned_abs() <= 1_800_000_000 && self.lat_e7.unsigned_abs() <= 900_000_000
    }

    /// The point of this place on the sphere.
    pub fn point(&self) -> Point {
        let (sin_lon, cos_lon) = self.lon_degrees().to_radians().sin_cos();
        let (sin_lat, cos_lat) = self.lat_degrees().to_radians().sin_cos();
        let cm = |part: f64| (part * EARTH_RADIUS_METRES * 100.0).round() as i32;
        Point {
            x: cm(cos_lat * cos_lon),
            y: cm(cos_lat * sin_lon),
            z: cm(sin_lat),
        }
    }
}

/// A place in whole centimetres from the earth's centre: x towards (0°, 0°), z towards the north pole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Point {
    /// Centimetres towards longitude 0 on the equator.
    pub x: i32,
    /// Centimetres towards longitude 90° east on the equator.
    pub y: i32,
    /// Centimetres towards the north pole.
    pub z: i32,
}

impl Point {
    /// Square of the straight distance to another point, in square centimetres. Exact: two points on
    /// the sphere are at most 2R apart, and (2R)² is below 2^61.
    #[inline]
    pub fn distance_squared(&self, other: &Point) -> u64 {
        let part = |a: i32, b: i32| {
            let difference = i64::from(a) - i64::from(b);
            difference.unsigned_abs().pow(2)
        };
        part(self.x, other.x) + part(self.y, other.y) + part(self.z, other.z)
    }

    /// Longitude and latitude in degrees of the direction in which the point lies.
    pub fn to_degrees(&self) -> (f64, f64) {
        let (x, y, z) = (f64::from(self.x), f64::from(self.y), f64::from(self.z));
        (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
    }

    /// Whether no coordinate is larger than the earth, which is what the arithmetic rests on.
    pub(super) fn is_within_earth(&self) -> bool {
        [self.x, self.y, self.z]
            .iter()
            .all(|part| part.unsigned_abs() <= EARTH_RADIUS_CM as u32)
    }
}

/// Length of the shortest way over the sphere, by the haversine formula, in metres.
pub fn great_circle_metres(a: LonLat, b: LonLat) -> f64 {
    let (lat_a, lat_b) = (a.lat_degrees().to_radians(), b.lat_degrees().to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.lon_degrees() - a.lon_degrees()).to_radians() / 2.0;
    let haversine = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_METRES * haversine.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> LonLat {
        LonLat::from_degrees(lon, lat).unwrap()
    }

    #[test]
    fn a_degree_of_latitude_is_111_km() {
        let metres = great_circle_metres(at(12.0, 57.0), at(12.0, 58.0));
        assert!((metres - 111_195.08).abs() < 0.1, "{metres}");
    }

    #[test]
    fn points_and_haversine_agree_within_a_city() {
        let (a, b) = (at(11.97, 57.70), at(12.03, 57.73));
        let straight = (a.point().distance_squared(&b.point()) as f64).sqrt() / 100.0;
        assert!((straight - great_circle_metres(a, b)).abs() < 0.02);
    }

    #[test]
    fn the_way_across_the_date_line_is_short() {
        assert!(great_circle_metres(at(179.9999, 0.0), at(-179.9999, 0.0)) < 23.0);
    }

    #[test]
    fn the_farthest_points_do_not_overflow() {
        let (pole, other) = (at(0.0, 90.0).point(), at(0.0, -90.0).point());
        assert_eq!(
            pole.distance_squared(&other),
            (2 * EARTH_RADIUS_CM as u64).pow(2)
        );
        let corner = Point {
            x: EARTH_RADIUS_CM,
            y: EARTH_RADIUS_CM,
            z: EARTH_RADIUS_CM,
        };
        let opposite = Point {
            x: -EARTH_RADIUS_CM,
            y: -EARTH_RADIUS_CM,
            z: -EARTH_RADIUS_CM,
        };
        assert!(corner.is_within_earth());
        assert_eq!(
            corner.distance_squared(&opposite),
            3 * (2 * EARTH_RADIUS_CM as u64).pow(2)
        );
    }

    #[test]
    fn a_point_knows_its_degrees() {
        let (lon, lat) = at(-122.5, -33.25).point().to_degrees();
        assert!((lon + 122.5).abs() < 1e-6 && (lat + 33.25).abs() < 1e-6);
    }

    #[test]
    fn no_place_beyond_the_poles() {
        assert!(LonLat::from_degrees(0.0, 90.1).is_none());
        assert!(LonLat::from_degrees(-180.1, 0.0).is_none());
        assert!(LonLat::from_degrees(f64::NAN, 0.0).is_none());
    }
}
