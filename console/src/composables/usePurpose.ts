// What somebody reads a person's data for: some roles must say it (the API answers "purpose-needed"), and it stands in the audit.
// It is kept while the page is open, and asked once.
import { ref } from 'vue'

const said = ref('')

export function usePurpose() {
  return { purpose: said, asked: (): string | undefined => said.value || undefined }
}
