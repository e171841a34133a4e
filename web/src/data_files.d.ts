/** What the build makes of a data file: the path under which the server serves it. */
declare module "*.bin" {
  const path: string;
  export default path;
}
