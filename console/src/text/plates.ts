// Plates as people write them: 苏F12345, 苏F·12345, 苏f 12345, full-width letters.

const PROVINCES = '京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领'
const WHOLE = new RegExp(`^[${PROVINCES}][A-Z][A-Z0-9]{4,5}[A-Z0-9警学领挂港澳]$`)

/** The plate as it is stored: no dots and spaces, capital letters. */
export function plainPlate(text: string): string {
  return text.normalize('NFKC').toUpperCase().replace(/[\s·•・‧∙⋅.\-—_]/g, '')
}

/** Whether it can be the whole plate of a vehicle in China. */
export function isPlate(text: string): boolean {
  return WHOLE.test(plainPlate(text))
}

/** "苏F·12345", to be read. What is no plate (a pseudonym) stays as it is. */
export function shownPlate(plate: string): string {
  return isPlate(plate) ? `${plate.slice(0, 2)}·${plate.slice(2)}` : plate
}
