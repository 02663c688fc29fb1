// From the datum in which coordinates were given to WGS-84, as the server converts them (telemetry.geo): for showing, before anything is
// saved, where an area will lie. What is saved is what was given; the server converts it itself.
export type Datum = 'wgs84' | 'gcj02' | 'bd09'
/** Longitude, latitude in degrees. */
export type LonLat = [number, number]

// The constants of the transformation that all open converters share (Krasovsky 1940).
const A = 6_378_245
const E2 = 0.006693421622965943
const BD_TURN = (Math.PI * 3000) / 180

const inChina = ([lon, lat]: LonLat): boolean => lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271

function gcjShift([lon, lat]: LonLat): LonLat {
  const [x, y, pi] = [lon - 105, lat - 35, Math.PI]
  const root = Math.sqrt(Math.abs(x))
  const wave = ((20 * Math.sin(6 * x * pi) + 20 * Math.sin(2 * x * pi)) * 2) / 3
  let dLat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
  dLat += ((20 * Math.sin(y * pi) + 40 * Math.sin((y / 3) * pi)) * 2) / 3
  dLat += ((160 * Math.sin((y / 12) * pi) + 320 * Math.sin((y * pi) / 30)) * 2) / 3
  let dLon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
  dLon += ((20 * Math.sin(x * pi) + 40 * Math.sin((x / 3) * pi)) * 2) / 3
  dLon += ((150 * Math.sin((x / 12) * pi) + 300 * Math.sin((x / 30) * pi)) * 2) / 3
  const rad = (lat * pi) / 180
  const magic = 1 - E2 * Math.sin(rad) ** 2
  const degrees = 180 / pi
  return [(dLon / ((A / Math.sqrt(magic)) * Math.cos(rad))) * degrees, (dLat / ((A * (1 - E2)) / (magic * Math.sqrt(magic)))) * degrees]
}

/** A point of WGS-84 in ``datum``; outside of China it is the same. */
export function fromWgs84(datum: Datum, at: LonLat): LonLat {
  if (datum === 'wgs84' || !inChina(at)) return at
  const [dLon, dLat] = gcjShift(at)
  const [lon, lat] = [at[0] + dLon, at[1] + dLat]
  if (datum === 'gcj02') return [lon, lat]
  const z = Math.hypot(lon, lat) + 0.00002 * Math.sin(lat * BD_TURN)
  const theta = Math.atan2(lat, lon) + 0.000003 * Math.cos(lon * BD_TURN)
  return [z * Math.cos(theta) + 0.0065, z * Math.sin(theta) + 0.006]
}

/** A point given in ``datum`` in WGS-84: ten rounds leave far less than a millimetre. */
export function toWgs84(datum: Datum, at: LonLat): LonLat {
  if (datum === 'wgs84' || !inChina(at)) return at
  let [lon, lat] = at
  for (let round = 0; round < 10; round += 1) {
    const [gotLon, gotLat] = fromWgs84(datum, [lon, lat])
    lon += at[0] - gotLon
    lat += at[1] - gotLat
  }
  return [lon, lat]
}
