#include "server/torchserve_snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "base/testing/temp_folder.h"
#include "catalog/testing/no_model_control.h"
#include "repository/torchserve_properties.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class FakeControl final : public testing::NoModelControl {
 public:
  void unload(ModelUnload, Done done) override { done(ok_status()); }
  void add(ModelAddition, Added done) override { done(AddedModel{"m", 1}); }
  Result<ServedPlace> place(const std::string& model, int64_t) const override {
    return ServedPlace{model + ".mar", {2, 3, {}}};
  }
};

class Snapshots : public ::testing::Test {
 protected:
  Snapshots()
      : snapshots_(
            {folder_ / "logs/config", folder_ / "store", {{"model_store", folder_ / "store"}, {"debug", "true"}}},
            [this] { return registered_; }) {
    auto definition = std::make_shared<ModelDefinition>();
    definition->max_batch_size = 4;
    definition->batching.max_queue_delay = std::chrono::milliseconds(7);
    definition->parameters["execution_timeout_s"] = "30";
    definition->labels = {{"stable", 1}, {"1.0", 1}, {"2.0", 2}};
    registered_ = {{"gone", 1, true, "gone.mar", "", {1, 1, {}}, definition},
                   {"m", 1, true, "m.mar", "", {2, 3, {}}, definition},
                   {"m", 2, false, "m2.mar", "", {1, 1, {}}, definition},
                   {"u", 1, true, "u.mar", "https://h/u.mar", {1, 1, {}}, definition}};
    folder_.write("store/m.mar", "");
    folder_.write("store/m2.mar", "");
  }

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_ / "logs/config"))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  const TempFolder folder_;
  std::vector<RegisteredVersion> registered_;
  FakeControl control_;
  TorchserveSnapshots snapshots_;
};

TEST_F(Snapshots, AreReadAsTheyAreWritten) {
  snapshots_.save("startup");
  const auto written = files();
  ASSERT_EQ(written.size(), 1U);
  EXPECT_THAT(written[0], ::testing::MatchesRegex("[0-9]{17}-startup.cfg"));
  const std::string file = folder_ / "logs/config/" + written[0];
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto read = read_torchserve_startup(file, [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(read.ok()) << read.status().message();
  // Not what is not in the store.
  EXPECT_THAT(read->paths,
              ElementsAre("m=" + (folder_ / "store/m.mar"), "m=" + (folder_ / "store/m2.mar"), "u=https://h/u.mar"));
  const auto& version = read->models.models.at("m").at("1.0");
  EXPECT_FALSE(read->models.models.at("m").at("2.0").is_default);
  EXPECT_TRUE(version.is_default);
  EXPECT_EQ(version.layer.instance_range->min, 2);
  EXPECT_EQ(version.layer.instance_range->max, 3);
  EXPECT_EQ(version.layer.config.max_batch_size(), 4);
  EXPECT_EQ(version.layer.config.dynamic_batching().max_queue_delay_microseconds(), 7000U);
  EXPECT_EQ(version.layer.config.parameters().at("execution_timeout_s").string_value(), "30");
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(text.starts_with("#Saving snapshot\n"));
  const auto properties = parse_properties(text);
  ASSERT_TRUE(properties.ok());
  EXPECT_EQ(properties->at("debug"), "true");
  EXPECT_THAT(properties->at("model_snapshot"), ::testing::HasSubstr("\"modelCount\":2"));
}

TEST_F(Snapshots, FollowEachChange) {
  SnapshottingControl control(control_, snapshots_);
  bool told = false;
  control.unload({"m"}, [](const Status&) {});
  EXPECT_FALSE(fs::exists(folder_ / "logs"));  // what is known by then may not be all
  snapshots_.save("startup");
  control.add({"m.mar"}, [&](const Result<AddedModel>& added) { told = added.ok(); });
  EXPECT_TRUE(told);
  control.unload({"m"}, [](const Status&) {});
  control.withdraw("m", 1, [](const Status& status) { EXPECT_FALSE(status.ok()); });
  const auto written = files();
  // One each, of what was done.
  EXPECT_EQ(std::count_if(written.begin(), written.end(), [](auto& name) { return name.ends_with("-snapshot.cfg"); }),
            2);
  EXPECT_EQ(control.place("m", 1)->file, "m.mar");
}

TEST_F(Snapshots, ThatCanNotBeWrittenHarmNothing) {
  TorchserveSnapshots nowhere({"/proc/none/config", "", {}}, [] { return std::vector<RegisteredVersion>(); });
  nowhere.save("startup");
  SnapshottingControl control(control_, nowhere);
  bool told = false;
  control.unload({"m"}, [&](const Status& status) { told = status.ok(); });
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace modelmill
