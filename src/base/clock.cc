#include "base/clock.h"

namespace modelmill {
namespace {

class Steady final : public TimeSource {
 public:
  TimePoint now() const override { return Clock::now(); }
};

}  // namespace

TimeSource& TimeSource::steady() {
  static Steady instance;
  return instance;
}

}  // namespace modelmill
