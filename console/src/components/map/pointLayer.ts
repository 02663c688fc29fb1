// Points of a map, drawn by our own WebGL2: 29,000 that move each second cost the page a few milliseconds. Offsets from a place
// nearby are float32, which keeps centimetres; the matrix takes the place in, in doubles.
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibre } from 'maplibre-gl'

import { MOST_LOOKS } from './face'
import { HIDDEN, offsets, rgb, shifted, SHAPES, shrunk, type Look, type Points } from './mercator'

const VERTEX = `#version 300 es
uniform mat4 u_matrix;
uniform float u_ratio;
uniform vec4 u_look[${MOST_LOOKS}];
uniform float u_size[${MOST_LOOKS}];
in vec2 a_offset;
in vec2 a_kind;
out vec3 v_colour;
flat out int v_shape;
out vec2 v_turn;
out float v_size;
void main() {
  int look = int(a_kind.x + 0.5);
  if (look >= ${MOST_LOOKS}) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); gl_PointSize = 0.0; return; }
  vec4 told = u_look[look];
  v_colour = told.rgb;
  v_shape = int(told.a + 0.5);
  float angle = radians(a_kind.y * 2.0);
  if (v_shape == 1 && a_kind.y > 254.5) v_shape = 0;
  v_turn = vec2(sin(angle), cos(angle));
  v_size = u_size[look] * u_ratio;
  gl_Position = u_matrix * vec4(a_offset, 0.0, 1.0);
  gl_PointSize = v_size;
}`

const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 v_colour;
flat in int v_shape;
in vec2 v_turn;
in float v_size;
out vec4 colour;
void main() {
  vec2 at = gl_PointCoord * 2.0 - 1.0;
  float edge = 2.0 / max(v_size, 1.0);
  float far;
  if (v_shape == 1) {
    vec2 p = vec2(at.x * v_turn.y + at.y * v_turn.x, at.x * v_turn.x - at.y * v_turn.y);
    far = 1.0 + max((2.98 * abs(p.x) + p.y - 1.0) / 3.14, (-p.y - 0.5 - 0.565 * abs(p.x)) / 1.15);
  } else if (v_shape == 2) far = max(abs(at.x), abs(at.y)) * 1.15;
  else if (v_shape == 4) far = abs(at.x) + abs(at.y);
  else if (v_shape == 5) far = 1.0 + max((1.85 * abs(at.x) - at.y - 1.0) / 2.1, at.y - 0.87);
  else if (v_shape == 6) far = max(max(abs(at.x), abs(at.y)), 0.62 + min(abs(at.x), abs(at.y)));
  else far = length(at);
  float inside = 1.0 - smoothstep(1.0 - edge, 1.0, far);
  if (inside <= 0.0) discard;
  // An arrow is narrow: a broad rim would leave nothing of it.
  float thin = v_shape == 1 ? 0.6 * edge : edge;
  float rim = smoothstep(1.0 - 2.1 * thin, 1.0 - 1.3 * thin, far);
  if (v_shape == 3) { float body = smoothstep(1.0 - 4.6 * edge, 1.0 - 3.4 * edge, far); colour = vec4(v_colour, 1.0) * (inside * body); return; }
  colour = vec4(mix(v_colour, vec3(1.0), rim), 1.0) * inside;
}`

function shader(gl: WebGL2RenderingContext, kind: number, source: string): WebGLShader {
  const made = gl.createShader(kind)
  if (!made) throw new Error('no shader')
  gl.shaderSource(made, source)
  gl.compileShader(made)
  if (!gl.getShaderParameter(made, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(made) ?? 'no shader')
  return made
}

interface Gpu {
  gl: WebGL2RenderingContext
  program: WebGLProgram
  vertices: WebGLVertexArrayObject
  places: WebGLBuffer
  kinds: WebGLBuffer
  matrix: WebGLUniformLocation | null
  ratio: WebGLUniformLocation | null
  look: WebGLUniformLocation | null
  size: WebGLUniformLocation | null
}

export class PointLayer implements CustomLayerInterface {
  readonly type = 'custom' as const
  readonly renderingMode = '2d' as const
  private map: MapLibre | undefined
  private gpu: Gpu | undefined
  private places = new Float32Array(0)
  private kinds = new Uint8Array(0)
  private count = 0
  private room = 0
  private refX = 0
  private refY = 0
  private fresh = false
  private shrinks = false
  private readonly looks = new Float32Array(4 * MOST_LOOKS)
  private readonly sizes = new Float32Array(MOST_LOOKS)

  constructor(readonly id: string) {}

  setLooks(looks: Look[]): void {
    looks.slice(0, MOST_LOOKS).forEach((one, k) => {
      this.looks.set([...rgb(one.colour), SHAPES.indexOf(one.shape)], 4 * k)
      this.sizes[k] = one.size
    })
    this.map?.triggerRepaint()
  }

  setPoints(points: Points): void {
    if (points.count * 2 > this.places.length) {
      this.places = new Float32Array(Math.ceil(points.count * 1.25) * 2)
      this.kinds = new Uint8Array(this.places.length)
    }
    this.count = points.count
    this.shrinks = points.shrinks === true
    // The first point that is drawn is near the others as well as any.
    let first = 0
    while (first < points.count && points.look[first] === HIDDEN) first++
    this.refX = points.x[first] ?? 0
    this.refY = points.y[first] ?? 0
    offsets(points.x, points.y, points.count, this.refX, this.refY, this.places)
    for (let k = 0; k < points.count; k++) {
      this.kinds[2 * k] = points.look[k] as number
      this.kinds[2 * k + 1] = points.turn[k] as number
    }
    this.fresh = true
    this.map?.triggerRepaint()
  }

  onAdd(map: MapLibre, context: WebGLRenderingContext | WebGL2RenderingContext): void {
    this.map = map
    const gl = context as WebGL2RenderingContext
    const program = gl.createProgram()
    gl.attachShader(program, shader(gl, gl.VERTEX_SHADER, VERTEX))
    gl.attachShader(program, shader(gl, gl.FRAGMENT_SHADER, FRAGMENT))
    gl.bindAttribLocation(program, 0, 'a_offset')
    gl.bindAttribLocation(program, 1, 'a_kind')
    gl.linkProgram(program)
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? 'no program')
    const [vertices, places, kinds] = [gl.createVertexArray(), gl.createBuffer(), gl.createBuffer()]
    gl.bindVertexArray(vertices)
    gl.enableVertexAttribArray(0)
    gl.enableVertexAttribArray(1)
    gl.bindBuffer(gl.ARRAY_BUFFER, places)
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0)
    gl.bindBuffer(gl.ARRAY_BUFFER, kinds)
    gl.vertexAttribPointer(1, 2, gl.UNSIGNED_BYTE, false, 0, 0)
    gl.bindVertexArray(null)
    const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name)
    this.gpu = { gl, program, vertices, places, kinds, matrix: at('u_matrix'), ratio: at('u_ratio'), look: at('u_look'), size: at('u_size') }
    this.room = 0
    this.fresh = true
  }

  onRemove(): void {
    const gpu = this.gpu
    if (gpu) {
      gpu.gl.deleteBuffer(gpu.places)
      gpu.gl.deleteBuffer(gpu.kinds)
      gpu.gl.deleteVertexArray(gpu.vertices)
      gpu.gl.deleteProgram(gpu.program)
    }
    this.gpu = undefined
    this.map = undefined
  }

  render(context: WebGLRenderingContext | WebGL2RenderingContext, given: CustomRenderMethodInput): void {
    const gpu = this.gpu
    if (!gpu || this.count === 0) return
    const gl = context as WebGL2RenderingContext
    if (this.fresh) this.upload(gpu)
    gl.useProgram(gpu.program)
    gl.bindVertexArray(gpu.vertices)
    gl.uniformMatrix4fv(gpu.matrix, false, shifted(given.defaultProjectionData.mainMatrix, this.refX, this.refY))
    gl.uniform1f(gpu.ratio, window.devicePixelRatio * (this.shrinks ? shrunk(this.map?.getZoom() ?? 12) : 1))
    gl.uniform4fv(gpu.look, this.looks)
    gl.uniform1fv(gpu.size, this.sizes)
    gl.disable(gl.DEPTH_TEST)
    gl.disable(gl.STENCIL_TEST)
    gl.enable(gl.BLEND)
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
    gl.drawArrays(gl.POINTS, 0, this.count)
    gl.bindVertexArray(null)
  }

  private upload({ gl, places, kinds }: Gpu): void {
    const grown = this.room < this.places.length
    for (const [buffer, data] of [[places, this.places], [kinds, this.kinds]] as const) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer)
      if (grown) gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW)
      else gl.bufferSubData(gl.ARRAY_BUFFER, 0, data, 0, 2 * this.count)
    }
    this.room = this.places.length
    this.fresh = false
  }
}
