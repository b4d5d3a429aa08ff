#include "server/torchserve_snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/testing/temp_folder.h"
#include "catalog/testing/no_model_control.h"
#include "repository/torchserve_properties.h"
#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class FakeControl final : public testing::NoModelControl {
 public:
  void unload(ModelUnload, Done done) override { done(ok_status()); }
  void add(ModelAddition, Added done) override { done(AddedModel{"m", 1}); }
  Result<ServedPlace> place(const std::string& model, int64_t) const override {
    return ServedPlace{model + ".mar", {2, 3, {}}};
  }
};

class FakeWorkflows final : public WorkflowControl {
 public:
  void add(WorkflowAddition, Added) override {}
  void remove(const std::string&, Done) override {}
  std::shared_ptr<const Workflow> find(const std::string&) const override { return nullptr; }
  std::vector<std::shared_ptr<const Workflow>> list() const override {
    Workflow workflow{"wf", "wf.war"};
    workflow.nodes.push_back({"m", "wf__m"});
    return {std::make_shared<const Workflow>(workflow)};
  }
};

class Snapshots : public ::testing::Test {
 protected:
  Snapshots()
      : snapshots_(
            {folder_ / "logs/config", folder_ / "store", {{"model_store", folder_ / "store"}, {"debug", "true"}}},
            catalog_.catalog(), control_, workflows_) {
    for (const char* name : {"m", "gone", "wf__m"}) {
      auto description = testing::simple_description(name);
      description.definition.max_batch_size = 4;
      description.definition.batching.max_queue_delay = std::chrono::milliseconds(7);
      description.definition.parameters["execution_timeout_s"] = "30";
      catalog_.add(description);
    }
    folder_.write("store/m.mar", "");
    folder_.write("store/wf__m.mar", "");
  }

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_ / "logs/config"))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  const TempFolder folder_;
  testing::FakeCatalog catalog_;
  FakeControl control_;
  FakeWorkflows workflows_;
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
  // Neither what is not in the store nor what is a workflow's.
  EXPECT_THAT(read->paths, ElementsAre("m=" + (folder_ / "store/m.mar")));
  const auto& version = read->models.models.at("m").at("1");
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
  EXPECT_THAT(properties->at("model_snapshot"), ::testing::HasSubstr("\"modelCount\":1"));
}

TEST_F(Snapshots, FollowEachChange) {
  SnapshottingControl control(control_, snapshots_);
  bool told = false;
  control.add({"m.mar"}, [&](const Result<AddedModel>& added) { told = added.ok(); });
  EXPECT_TRUE(told);
  control.unload({"m"}, [](const Status&) {});
  control.withdraw("m", 1, [](const Status& status) { EXPECT_FALSE(status.ok()); });
  EXPECT_EQ(files().size(), 2U);  // one each, of what was done
  for (const std::string& name : files()) EXPECT_TRUE(name.ends_with("-snapshot.cfg"));
  EXPECT_EQ(control.place("m", 1)->file, "m.mar");
}

TEST_F(Snapshots, ThatCanNotBeWrittenHarmNothing) {
  TorchserveSnapshots nowhere({"/proc/none/config", "", {}}, catalog_.catalog(), control_, workflows_);
  SnapshottingControl control(control_, nowhere);
  bool told = false;
  control.unload({"m"}, [&](const Status& status) { told = status.ok(); });
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace modelmill
