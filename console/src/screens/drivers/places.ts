/** The pages of this screen as its tabs show them: first what is one's own. */
export const PLACES = ['drivers-mine', 'drivers-roster', 'drivers-leaves', 'drivers-sheets'] as const
