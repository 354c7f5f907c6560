// Notices that the machine has slept: countdowns stood still meanwhile, for performance.now() does on many systems.

const JUMP = 2000; // ms

/**
 * @returns {() => boolean} whether the machine has slept, or its clock was set, since this was asked last
 */
export function sleepDetector() {
  const ahead = () => Date.now() - performance.now();
  let last = ahead();
  return () => {
    const before = last;
    last = ahead();
    return Math.abs(last - before) > JUMP;
  };
}
