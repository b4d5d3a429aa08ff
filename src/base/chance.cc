#include "base/chance.h"

#include <random>

namespace modelmill {

double chance() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>()(random);
}

}  // namespace modelmill
