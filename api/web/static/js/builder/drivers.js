// Which properties and other events go with converting: asked for by a button, since it reads more than the funnel does.
export function drivers() {
  return null;
}
