#include "route/circuit_breaker.h"

#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using std::chrono::milliseconds;
using State = CircuitBreaker::State;

constexpr BreakerSettings kSettings{.failures = 3, .open_for = milliseconds(100), .probes = 2};

/// A breaker and a script: each letter is what happens, ? and ! are what allow() says then.
///   ? may try  ! may not  g good  b bad  n said nothing  . 60 ms pass
State play(const std::string& script) {
  CircuitBreaker breaker;
  ManualTime time;
  for (size_t i = 0; i < script.size(); ++i) switch (script[i]) {
      case '?':
      case '!': EXPECT_EQ(breaker.allow(kSettings, time.now()), script[i] == '?') << script << " at " << i; break;
      case 'g': breaker.succeeded(kSettings); break;
      case 'b': breaker.failed(kSettings, time.now()); break;
      case 'n': breaker.said_nothing(); break;
      default: time.advance(milliseconds(60));
    }
  return breaker.state();
}

TEST(CircuitBreaker, OpensProbesAndCloses) {
  struct Case {
    std::string script;
    State state;
  };
  const Case cases[] = {
      {"?g?b?b?", State::kClosed},
      {"?b?b?g?b?b?", State::kClosed},        // not one after the other
      {"?b?b?n?b!", State::kOpen},            // what says nothing is no success
      {"?b?b?b!.!", State::kOpen},            // too early
      {"?b?b?b..?", State::kHalfOpen},        // one probe
      {"?b?b?b..?!!", State::kHalfOpen},      // and no second beside it
      {"?b?b?b..?g?", State::kHalfOpen},      // one good one is not enough
      {"?b?b?b..?g?g??", State::kClosed},     // two are
      {"?b?b?b..?g?g?b?b?", State::kClosed},  // and it begins anew
      {"?b?b?b..?b!.!", State::kOpen},        // a bad one opens it again, for as long
      {"?b?b?b..?g?b!..?", State::kHalfOpen},
      {"?b?b?b..?n?", State::kHalfOpen},    // a probe that said nothing makes room for another
      {"?b?b?b..?!..?", State::kHalfOpen},  // one that is not heard of is not waited for for ever
      {"????bbbgg!", State::kOpen},         // late successes do not close it
      {"????bbbb!..?", State::kHalfOpen},
  };
  for (const Case& c : cases) EXPECT_EQ(play(c.script), c.state) << c.script;
}

}  // namespace
}  // namespace modelmill
