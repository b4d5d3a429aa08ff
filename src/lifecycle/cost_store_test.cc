#include "lifecycle/cost_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::vector<LearnedCost> some() {
  return {{InstanceGroup::Kind::kCpu, 0, "", {{1, 1ms, 2ms, 10}, {7.5, 3ms, 4ms, 20}}},
          {InstanceGroup::Kind::kGpu, 18'446'744'073'709'551'615u, "ids INT64[*,128], x FP32[*]", {{1, 1us, 1us, 1}}}};
}

void expect_some(const std::vector<LearnedCost>& costs) {
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].shapes, "");
  ASSERT_EQ(costs[0].points.size(), 2u);
  EXPECT_DOUBLE_EQ(costs[0].points[1].rows, 7.5);
  EXPECT_EQ(costs[0].points[1].mean, 3ms);
  EXPECT_EQ(costs[0].points[1].p99, 4ms);
  EXPECT_EQ(costs[0].points[1].executions, 20);
  EXPECT_EQ(costs[1].kind, InstanceGroup::Kind::kGpu);
  EXPECT_EQ(costs[1].shape_class, 18'446'744'073'709'551'615u);
  EXPECT_EQ(costs[1].shapes, "ids INT64[*,128], x FP32[*]");
}

TEST(CostStore, WhatIsWrittenIsRead) {
  const TempFolder folder;
  const CostStore store(folder / "state/costs");
  EXPECT_TRUE(store.read("k").empty());
  ASSERT_TRUE(store.write("k", some()).ok());
  expect_some(store.read("k"));
  struct stat status {};
  ASSERT_EQ(::stat((folder / "state/costs/k.costs").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "state/costs"), {}), 1) << "nothing temporary is left";
}

TEST(CostStore, NoFolderKeepsNothing) {
  const CostStore store("");
  EXPECT_TRUE(store.write("k", some()).ok());
  EXPECT_TRUE(store.read("k").empty());
}

TEST(CostStore, AFolderThatCantBeMadeIsSaid) {
  const TempFolder folder;
  const std::string file = folder.write("file", "x");
  EXPECT_THAT(CostStore(file + "/costs").write("k", some()).message(), ::testing::HasSubstr(file));
}

TEST(CostStore, GarbageIsNothing) {
  const std::string whole = costs_text(some());
  expect_some(parse_costs(whole));
  for (size_t size = 0; size + 1 < whole.size(); ++size)
    EXPECT_TRUE(parse_costs(whole.substr(0, size)).empty()) << "cut after " << size;
  const std::string head = "modelmill costs 1\n";
  for (const char* rest :
       {"point 1 1 1 1\nend\n", "curve tpu 0 \nend\n", "curve cpu x \nend\n", "curve cpu 0 \npoint nan 1 1 1\nend\n",
        "curve cpu 0 \npoint 0 1 1 1\nend\n", "curve cpu 0 \npoint 1 -1 1 1\nend\n",
        "curve cpu 0 \npoint 1 1 1 0\nend\n", "curve cpu 0 \npoint 1 9999999999999999 1 1\nend\n",
        "curve cpu 0 \npoint 1 1 1\nend\n", "else\nend\n"})
    EXPECT_TRUE(parse_costs(head + rest).empty()) << rest;
  EXPECT_TRUE(parse_costs("modelmill costs 2\nend\n").empty());
  std::string many = head + "curve cpu 0 \n";
  for (int i = 0; i < 1'000; ++i) many += "point 1 1 1 1\n";
  EXPECT_TRUE(parse_costs(many + "end\n").empty());
}

TEST(CostStore, TheOldestGo) {
  const TempFolder folder;
  const CostStore store(folder.path());
  for (size_t i = 0; i < CostStore::kMostFiles; ++i) folder.write("f" + std::to_string(i) + ".costs", "x");
  fs::last_write_time(folder / "f7.costs", fs::file_time_type::clock::now() - 1h);
  ASSERT_TRUE(store.write("new", some()).ok());
  EXPECT_FALSE(fs::exists(folder / "f7.costs"));
  EXPECT_TRUE(fs::exists(folder / "f8.costs"));
  expect_some(store.read("new"));
}

TEST(CostKey, DependsOnWhatCostsDependOn) {
  const TempFolder folder;
  CostSubject subject{{folder.write("a", "weights")}, "onnxruntime", "ONNX Runtime 1.20", 64, 1, ""};
  const std::string key = cost_key(subject);
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(cost_key(subject), key);
  CostSubject copy = subject;
  copy.files = {folder.write("elsewhere", "weights")};
  EXPECT_EQ(cost_key(copy), key) << "the same model at another place";
  const auto differs = [&](auto change) {
    CostSubject other = subject;
    change(other);
    EXPECT_NE(cost_key(other), key);
  };
  differs([&](CostSubject& s) { s.files = {folder.write("b", "Weights")}; });
  differs([](CostSubject& s) { s.runtime = "ONNX Runtime 1.21"; });
  differs([](CostSubject& s) { s.max_rows = 32; });
  differs([](CostSubject& s) { s.instance_threads = 2; });
  differs([](CostSubject& s) { s.config = "parameters"; });
  differs([](CostSubject& s) { s.gpus = {"NVIDIA H200", "141 GiB"}; });
  subject.gpus = {"NVIDIA H200", "141 GiB"};
  copy.gpus = {"NVIDIA A100-SXM4-80GB", "80 GiB"};
  EXPECT_NE(cost_key(copy), cost_key(subject)) << "the same model on another GPU";
  copy.gpus = subject.gpus;
  EXPECT_EQ(cost_key(copy), cost_key(subject));
  EXPECT_EQ(cost_key({{folder / "nothing"}, "", "", 1, 1, ""}), "");

  folder.write("net.savedmodel/saved_model.pb", "graph");
  folder.write("net.savedmodel/variables/variables.index", "weights");
  const CostSubject whole{{folder / "net.savedmodel"}, "", "", 1, 1, ""};
  const std::string before = cost_key(whole);
  EXPECT_NE(before, "");
  EXPECT_EQ(cost_key(whole), before);
  folder.write("net.savedmodel/saved_model.pb", "another");
  EXPECT_NE(cost_key(whole), before);
}

}  // namespace
}  // namespace modelmill
