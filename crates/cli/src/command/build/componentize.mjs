// Compiles a component: its main module, its WIT, what of the engine is left out, and where to write.
import { writeFileSync } from "node:fs";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, leftOut, output] = process.argv.slice(1);
const { component } = await componentize({ sourcePath, witPath, disableFeatures: leftOut.split(",") });
writeFileSync(output, component);
