#include "catalog/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Explanation explanation(double gain, int64_t worth, bool explored) {
  Explanation out;
  out.policy = "work-conserving";
  out.max_rows = 64;
  out.instances = 2;
  LearnedCost cost;
  cost.points = {{1, 1ms, 1ms, 10}};
  out.costs.push_back({cost, worth, worth, explored, 1234 * gain, gain});
  return out;
}

TEST(Explanation, ALineOfWhatWasLearned) {
  EXPECT_EQ(learned_line(explanation(13.2, 64, true)), "batching pays 13x; about 33k rows/s on 2 instances");
  EXPECT_EQ(learned_line(explanation(1.04, 1, true)), "batching does not pay; about 2.6k rows/s on 2 instances");
  EXPECT_EQ(learned_line(explanation(3.25, 8, false)),
            "batching up to 8 rows pays 3.2x, more is not known; about 8.0k rows/s on 2 instances");
  EXPECT_EQ(learned_line(explanation(1, 1, false)), "about 2.5k rows/s on 2 instances");
  Explanation alone = explanation(1, 1, true);
  alone.max_rows = 1;
  alone.instances = 1;
  EXPECT_EQ(learned_line(alone), "about 1.2k rows/s on 1 instance");
  EXPECT_EQ(learned_line(Explanation()), "");
}

TEST(Explanation, TheLineSaysTheSizesThatItIsOf) {
  Explanation open = explanation(13.2, 64, true);
  open.costs[0].cost.shapes = "ids INT64[*,128]";
  EXPECT_EQ(learned_line(open), "batching pays 13x; about 33k rows/s on 2 instances, of inputs ids INT64[*,128]");
  Explanation allowed = explanation(4, 32, true);
  allowed.policy = "allowed sizes";
  allowed.costs[0].cost.points = {{4, 1ms, 1ms, 4}, {32, 2ms, 2ms, 4}};
  EXPECT_EQ(learned_line(allowed),
            "batching pays 4x; about 9.9k rows/s on 2 instances, known in batches of 4, 32 rows");
}

TEST(Explanation, TheLineIsOfTheInputsSeenMost) {
  Explanation two = explanation(13.2, 64, true);
  ExplainedCost seldom = two.costs[0];
  seldom.cost.points[0].executions = 1;
  seldom.gain = 2;
  two.costs.insert(two.costs.begin(), seldom);
  EXPECT_THAT(learned_line(two), HasSubstr("13x"));
}

TEST(Explanation, SaysWhatLimits) {
  ModelDefinition definition;
  EXPECT_THAT(advice(explanation(1, 1, true), definition), ElementsAre(HasSubstr("no faster than alone")));
  EXPECT_THAT(advice(explanation(4, 16, true), definition), ElementsAre(HasSubstr("more than 16 rows")));
  EXPECT_THAT(advice(explanation(9, 64, true), definition), ElementsAre(HasSubstr("larger max_batch_size")));
  EXPECT_THAT(advice(explanation(4, 8, false), definition), ElementsAre(HasSubstr("have not been tried")));
  Explanation held = explanation(4, 16, true);
  held.objective = 5ms;
  held.costs[0].limit = 4;
  EXPECT_THAT(advice(held, definition).back(), HasSubstr("latency objective"));
  ModelDefinition cached;
  cached.response_cache = true;
  EXPECT_THAT(advice(held, cached).front(), HasSubstr("--response-cache-bytes gives it one"));
  held.cached = true;
  EXPECT_THAT(advice(held, cached).front(), Not(HasSubstr("--response-cache-bytes")));
  Explanation alone;
  definition.unbatched_reason = "output 'y' is fixed";
  EXPECT_THAT(advice(alone, definition), ElementsAre(HasSubstr("output 'y' is fixed")));
  Explanation new_one = explanation(1, 1, true);
  new_one.costs.clear();
  EXPECT_THAT(advice(new_one, definition), ElementsAre(HasSubstr("nothing has been learned")));
}

}  // namespace
}  // namespace modelmill
