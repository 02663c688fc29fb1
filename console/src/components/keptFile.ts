// A file that the server keeps, and what a page can show of it.
export interface KeptFile {
  id: string
  name: string
  media_type: string
  size: number
  sha256: string
  uploaded_at: string
}
/** What a browser shows, as the server found it by its content: the name decides nothing. */
export const isPdf = (file: Pick<KeptFile, 'media_type'>): boolean => file.media_type === 'application/pdf'
export const isPicture = (file: Pick<KeptFile, 'media_type'>): boolean => ['image/jpeg', 'image/png'].includes(file.media_type)
