// Models whose backend lacks its library, and those of which the user wants it so: run by another one, with fakes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/runtimes_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

/// Model a can be run by "pytorch" and by "python", which the platform tells apart.
class StandInTest : public ControllerRuntimesTest {
 protected:
  StandInTest() {
    backends_.others.clear();
    for (const char* name : {"pytorch", "python"}) {
      info_.platform = name;
      backends_.others[name]["a"] = {info_, times(2)};
    }
  }

  std::unique_ptr<ControllerCore> serve(const std::string& config) {
    folder_.write("repository/a/1/model.pytorch");
    folder_.write("repository/a/config.pbtxt", config);
    file_ = folder_ / "repository";
    return ControllerRuntimesTest::serve();
  }
  static std::string runtime(const std::string& value) {
    return R"(parameters { key: "runtime" value { string_value: ")" + value + "\" } }";
  }
  std::string run_by() { return version()->definition().platform; }
};

TEST_F(StandInTest, ABackendThatCanRunRunsItsModels) {
  const auto core = serve("");
  EXPECT_EQ(run_by(), "pytorch");
  EXPECT_EQ(version()->runtimes(), nullptr);
  core->shutdown();
}

TEST_F(StandInTest, OneThatCannotIsStoodInForAndItIsTold) {
  backends_.problems["pytorch"] = "torch is of another release";
  for (const char* config : {"", "backend: \"pytorch\"", "parameters { key: \"x\" value { string_value: \"1\" } }"}) {
    const auto core = serve(config);
    EXPECT_EQ(run_by(), "python") << config;
    EXPECT_EQ(backend(), "pytorch") << "clients see no other backend";
    const auto report = version()->runtimes();
    ASSERT_NE(report, nullptr);
    EXPECT_EQ(report->chosen.backend, "python");
    ASSERT_EQ(report->candidates.size(), 2U);
    EXPECT_EQ(report->candidates[0].layout.backend, "pytorch");
    EXPECT_EQ(report->candidates[0].excluded, "torch is of another release");
    be_used(*core);
    core->shutdown();
  }
  EXPECT_EQ(backends_.log.loads, 3) << "nothing was compared";
}

TEST_F(StandInTest, TheUserMayWantItSo) {
  const auto core = serve("backend: \"pytorch\" " + runtime("python"));
  EXPECT_EQ(run_by(), "python");
  ASSERT_NE(version()->runtimes(), nullptr);
  EXPECT_EQ(version()->runtimes()->candidates.size(), 1U);
  core->shutdown();
}

TEST_F(StandInTest, TheOperatorMayWantItOfModelsThatNameNoBackend) {
  settings_.runtime = "python";
  for (const bool named : {false, true}) {
    const auto core = serve(named ? "backend: \"pytorch\"" : "");
    EXPECT_EQ(run_by(), named ? "pytorch" : "python");
    core->shutdown();
  }
}

TEST_F(StandInTest, OneThatIsPinnedIsNotStoodInFor) {
  backends_.problems["pytorch"] = "torch is of another release";
  const auto core = serve(runtime("pytorch"));
  EXPECT_EQ(run_by(), "pytorch");  // whose real load fails, and says why
  core->shutdown();
}

TEST_F(StandInTest, WithoutWorkersNobodyStandsIn) {
  backends_.problems["pytorch"] = "torch is of another release";
  backends_.problems["python"] = "there is no python3";
  auto core = serve("");
  EXPECT_EQ(run_by(), "pytorch");
  core->shutdown();
  core.reset();
  core = serve(runtime("python"));
  EXPECT_THAT(reason("a"), HasSubstr("parameter 'runtime' is 'python', which can't run 'model.pytorch' here"));
  core->shutdown();
}

TEST_F(StandInTest, AFailureTellsWhyItWasTheOneToLoadIt) {
  backends_.problems["pytorch"] = "torch is of another release";
  backends_.others["python"].clear();
  const auto core = serve("");
  EXPECT_THAT(reason("a"), HasSubstr("is corrupt (it was loaded by backend 'python', because backend 'pytorch' can't "
                                     "run: torch is of another release"));
  core->shutdown();
}

}  // namespace
}  // namespace modelmill
