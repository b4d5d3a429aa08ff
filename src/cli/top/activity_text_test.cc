#include "cli/top/activity_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ServerActivity busy() {
  ServerActivity activity;
  activity.seconds = 1;
  activity.requests_per_second = 12'345.6;
  activity.failures_per_second = 0.5;
  activity.cpu_cores = 1.234;
  activity.memory_bytes = 123e6;
  activity.connections = 8;
  activity.versions.push_back({.name = {"mlp", "1"},
                               .requests_per_second = 12'345.1,
                               .failures_per_second = 0.5,
                               .p50_us = 210,
                               .p99_us = 1'310,
                               .mean_batch = 5.24,
                               .cuts = {{"full", 0.08}, {"idle instance", 0.918}, {"deadline", 0.002}},
                               .pending = 1'234,
                               .instances = 2});
  activity.versions.push_back({.name = {"other", "12"}});
  return activity;
}

TEST(ActivityText, IsATableForPeople) {
  EXPECT_EQ(activity_text(busy(), {}),
            "requests 12,346/s   failed 0.5/s   connections 8   CPU 1.23 cores   memory 123 MB\n"
            "\n"
            "MODEL  VERSION   REQ/S  FAIL/S     P50     P99  BATCH  PENDING  INSTANCES  BATCHES CUT BECAUSE\n"
            "mlp    1        12,345     0.5  210 us  1.3 ms    5.2    1,234          2  "
            "idle instance 92%, full 8%, deadline <1%\n"
            "other  12            0       0       -       -      -        0          -  -\n");
}

TEST(ActivityText, TellsWhatTheCacheAnswered) {
  ServerActivity activity = busy();
  activity.versions[0].cached = 0.756;
  const std::string text = activity_text(activity, {});
  EXPECT_THAT(text, HasSubstr("BATCH  CACHED  PENDING"));
  EXPECT_THAT(text, HasSubstr("  5.2     76%    1,234  "));
  EXPECT_THAT(text, HasSubstr("    -       -        0  "));
  EXPECT_THAT(activity_json(activity), HasSubstr(R"("mean_batch":5.24,"cached":0.756,"pending":1234,)"));
}

TEST(ActivityText, KeepsToItsRoom) {
  const std::string text = activity_text(busy(), {.columns = 40, .lines = 5});
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 40u) << text;
    begin = end + 1;
  }
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 5) << text;
  EXPECT_THAT(text, HasSubstr("mlp"));
  EXPECT_THAT(text, Not(HasSubstr("other")));
  EXPECT_THAT(text, HasSubstr("and 1 less busy\n"));
}

TEST(ActivityText, ANameCannotMoveTheCursor) {
  ServerActivity activity;
  activity.versions.push_back({.name = {"caf\xC3\xA9\x1B[2J", "1"}});
  activity.versions.push_back({.name = {"plain-one", "1"}});
  EXPECT_THAT(activity_text(activity, {}), HasSubstr("caf\xC3\xA9?[2J   1  "));
}

TEST(ActivityText, SaysThatThereAreNoModels) {
  EXPECT_THAT(activity_text({}, {}), HasSubstr("the server has no models\n"));
}

TEST(ActivityJson, IsOneLineWithNullForWhatIsNotKnown) {
  EXPECT_EQ(activity_json(busy()),
            R"({"seconds":1.0,"requests_per_second":12345.6,"failures_per_second":0.5,"connections":8,)"
            R"("cpu_cores":1.234,"memory_bytes":123000000,"models":[)"
            R"({"name":"mlp","version":"1","requests_per_second":12345.1,"failures_per_second":0.5,"p50_us":210.0,)"
            R"("p99_us":1310.0,"mean_batch":5.24,"pending":1234,"instances":2,)"
            R"("cuts":{"deadline":0.002,"full":0.08,"idle instance":0.918}},)"
            R"({"name":"other","version":"12","requests_per_second":0.0,"failures_per_second":0.0,"p50_us":null,)"
            R"("p99_us":null,"mean_batch":null,"pending":0,"instances":null,"cuts":{}}]})"
            "\n");
}

}  // namespace
}  // namespace modelmill
