// Datums of coordinates: WGS-84 (what is stored), GCJ-02 (Chinese maps), BD-09 (Baidu). The same numbers as telemetry/geo.py, which says
// where they are from; tests/datum.json holds both to it. Only what is shown is converted, nothing that is stored.

export type Datum = 'wgs84' | 'gcj02' | 'bd09'
/** [lon, lat], degrees. */
export type LonLat = readonly [number, number]

const A = 6_378_245
const E2 = 0.006_693_421_622_965_943
const BD_TURN = (Math.PI * 3000) / 180
const PI = Math.PI

function inChina(lon: number, lat: number): boolean {
  return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271
}

function gcjOf(lon: number, lat: number): [number, number] {
  const [x, y] = [lon - 105, lat - 35]
  const root = Math.sqrt(Math.abs(x))
  const wave = ((20 * Math.sin(6 * x * PI) + 20 * Math.sin(2 * x * PI)) * 2) / 3
  let dLat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
  dLat += ((20 * Math.sin(y * PI) + 40 * Math.sin((y / 3) * PI)) * 2) / 3
  dLat += ((160 * Math.sin((y / 12) * PI) + 320 * Math.sin((y * PI) / 30)) * 2) / 3
  let dLon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
  dLon += ((20 * Math.sin(x * PI) + 40 * Math.sin((x / 3) * PI)) * 2) / 3
  dLon += ((150 * Math.sin((x / 12) * PI) + 300 * Math.sin((x / 30) * PI)) * 2) / 3
  const radians = (lat * PI) / 180
  const magic = 1 - E2 * Math.sin(radians) ** 2
  const degree = 180 / PI
  return [
    lon + (dLon / ((A / Math.sqrt(magic)) * Math.cos(radians))) * degree,
    lat + (dLat / ((A * (1 - E2)) / (magic * Math.sqrt(magic)))) * degree,
  ]
}

function bdOf(lon: number, lat: number): [number, number] {
  const z = Math.hypot(lon, lat) + 0.000_02 * Math.sin(lat * BD_TURN)
  const theta = Math.atan2(lat, lon) + 0.000_003 * Math.cos(lon * BD_TURN)
  return [z * Math.cos(theta) + 0.0065, z * Math.sin(theta) + 0.006]
}

/** A place of WGS-84 in ``datum``. Outside of China it is the same. */
export function fromWgs84(datum: Datum, [lon, lat]: LonLat): [number, number] {
  if (datum === 'wgs84' || !inChina(lon, lat)) return [lon, lat]
  const gcj = gcjOf(lon, lat)
  return datum === 'gcj02' ? gcj : bdOf(...gcj)
}

/** The inverse. */
export function toWgs84(datum: Datum, place: LonLat): [number, number] {
  let [lon, lat] = place
  if (datum === 'wgs84' || !inChina(lon, lat)) return [lon, lat]
  // What is left is a hundredth of it in each round.
  for (let k = 0; k < 10; k += 1) {
    const [x, y] = fromWgs84(datum, [lon, lat])
    lon += place[0] - x
    lat += place[1] - y
  }
  return [lon, lat]
}

export function convert(from: Datum, to: Datum, place: LonLat): [number, number] {
  return from === to ? [place[0], place[1]] : fromWgs84(to, toWgs84(from, place))
}
