// Preloaded into a process whose clock shall be wrong: Date runs ahead (or behind) by SHIFT_CLOCK_MS. The monotonic clock
// stays as it is, as on a machine whose time was set wrong before it started.
const shift = Number(process.env.SHIFT_CLOCK_MS ?? 0);
const RealDate = Date;
const realNow = Date.now.bind(Date);

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [realNow() + shift] : args, self),
  apply: () => new RealDate(realNow() + shift).toString(),
  get: (target, name) => (name === 'now' ? () => realNow() + shift : Reflect.get(target, name)),
});
