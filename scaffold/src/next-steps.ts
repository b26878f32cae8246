/** What is to be typed once a plugin is made. `npm run check:scaffold` types it. Pure. */
export interface Made {
  readonly folder: string
  /** The same, as the user is to see it. */
  readonly where: string
  readonly isStandAlone: boolean
  /** Within this repository: npm install was run. */
  readonly isInstalled: boolean
}

/** Commands for a shell, in this repository's root; each in the folder that the last one changed to. */
export function nextSteps({ folder, where, isStandAlone, isInstalled }: Made): string[] {
  if (!isStandAlone) return [...(isInstalled ? [] : ['npm install']), `npm test -w ${where}`]
  const quoted = /^[\w@./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", `'\\''`)}'`
  return [
    // Until they are on npm.
    `npm run build && npm pack -w core -w migrations -w test/kit --pack-destination ${quoted}`,
    `cd ${quoted} && npm install ./*.tgz`,
    'npm test',
  ]
}
