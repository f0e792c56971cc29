/** SVG to PNG by the optional package @resvg/resvg-js, for programs that take no SVG. Knows nothing of figures. */

/** Two pixels a unit, on white. */
export type PngOf = (svg: string) => Uint8Array;

/** Undefined where the package is not installed. @throws what the package throws when it is loaded. */
export async function optionalPng(): Promise<PngOf | undefined> {
  try {
    const { Resvg } = await import("@resvg/resvg-js");
    const options = { background: "white", fitTo: { mode: "zoom", value: 2 } } as const;
    return (svg) => new Resvg(svg, options).render().asPng();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
