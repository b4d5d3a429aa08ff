#include "lifecycle/version_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/device_memory.h"
#include "lifecycle/testing/loader_rig.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(VersionLoaderTest, WithoutAConfigurationItIsBatchedBecauseTheProbeAgrees) {
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const ModelDefinition& d = loaded->description.definition;
  EXPECT_EQ(d.backend, "onnxruntime");
  EXPECT_EQ(d.platform, "onnxruntime_onnx");
  EXPECT_EQ(d.default_model_filename, "model.onnx");
  EXPECT_EQ(d.max_batch_size, 64);
  EXPECT_EQ(d.unbatched_reason, "");
  EXPECT_EQ(d.batching.mode, BatchingDefinition::Mode::kAuto);
  EXPECT_TRUE(loaded->plan.has_batch_dimension);
  EXPECT_EQ(loaded->plan.max_batch_rows, 64);
  EXPECT_EQ(loaded->instances.size(), 3U);
  EXPECT_THAT(backends_.log.names, ElementsAre("m_0_0", "m_0_1", "m_0_2"));
  EXPECT_EQ(backends_.log.load_arguments[0].file, folder_ / "m/1/model.onnx");
  EXPECT_EQ(backends_.log.load_arguments[0].directory, folder_ / "m/1");
  EXPECT_THAT(backends_.log.load_arguments[0].config_json, HasSubstr("\"name\":\"m\""));
  const auto config = complete_triton_config(d, loaded->description.signature);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(2));
  EXPECT_EQ(config.instance_group(0).count(), 3);
}

TEST_F(VersionLoaderTest, AModelWhoseRowsMixIsServedUnbatchedAndSaysWhy) {
  backends_.models["m"].compute = [](const TensorList& inputs) -> Result<TensorList> {
    auto out = sum_rows(inputs);
    std::vector<float> y = floats_of((*out)[0]);
    for (size_t i = 1; i < y.size(); ++i) y[i] += y[i - 1];
    return TensorList{fake_floats("y", (*out)[0].shape, y)};
  };
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->description.definition.max_batch_size, 0);
  EXPECT_EQ(loaded->description.definition.batching.mode, BatchingDefinition::Mode::kDisabled);
  EXPECT_THAT(loaded->description.definition.unbatched_reason, HasSubstr("output 'y' of a row is"));
  EXPECT_THAT(loaded->description.definition.unbatched_reason, HasSubstr("set max_batch_size in config.pbtxt"));
  EXPECT_FALSE(loaded->plan.has_batch_dimension);
  EXPECT_EQ(loaded->plan.max_batch_rows, 1);
}

TEST_F(VersionLoaderTest, OtherSignaturesAreDecidedUponByThemselves) {
  info().signature_name = "first";
  info().other_signatures = {"fixed", "broken", "rows"};
  BackendModelInfo rows = row_info(), fixed = row_info();
  rows.signature_name = "rows";
  rows.signature_method = "tensorflow/serving/regress";
  fixed.signature_name = "fixed";
  fixed.signature.inputs[0].shape = {3, 2};
  fixed.signature.outputs[0].shape = {3};
  auto& signatures = backends_.models["m"].signatures;
  signatures["rows"] = {rows, sum_rows};
  signatures["fixed"] = {fixed, sum_rows};
  settings_.cost_directory = folder_ / "costs";
  const auto loaded = load(R"(
    max_batch_size: 8 instance_group { count: 2 kind: KIND_CPU }
    input { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } output { name: "y" data_type: TYPE_FP32 dims: [ 1 ] reshape {} })");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->description.signature_name, "first");
  ASSERT_EQ(loaded->other_signatures.size(), 2U) << "what can't be run is passed over";
  const LoadedVersion &one = loaded->other_signatures[0], &other = loaded->other_signatures[1];
  EXPECT_EQ(one.description.signature_name, "fixed");
  EXPECT_EQ(one.description.definition.max_batch_size, 0) << "it has no batch dimension";
  EXPECT_EQ(one.plan.max_batch_rows, 1);
  EXPECT_EQ(other.description.signature_name, "rows");
  EXPECT_EQ(other.description.signature_method, "tensorflow/serving/regress");
  EXPECT_EQ(other.plan.max_batch_rows, 8);
  EXPECT_EQ(other.instances.size(), 2U);
  EXPECT_EQ(other.description.signature.outputs[0].shape, Shape({-1})) << "the configuration's are the first one's";
  EXPECT_NE(other.cost_key, one.cost_key);
}

TEST_F(VersionLoaderTest, ARemedyIsNamedOnlyWhereItHelps) {
  info().signature.outputs[0].shape = {3};
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->description.definition.unbatched_reason, "output 'y' has the fixed first dimension 3");
}

TEST_F(VersionLoaderTest, TwoSymbolsAreNotEvenTried) {
  info().signature.outputs[0].symbols = {"M"};
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->description.definition.max_batch_size, 0);
  EXPECT_THAT(loaded->description.definition.unbatched_reason, HasSubstr("is named 'M', but that of input 'x' 'N'"));
  EXPECT_EQ(backends_.log.largest_batch, 1);
}

TEST_F(VersionLoaderTest, RowsIndependentByConstructionNeedNoProbe) {
  info().rows_independent = true;
  info().signature.inputs[0].symbols = {};
  info().signature.outputs[0].symbols = {};
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->description.definition.max_batch_size, 64);
}

TEST_F(VersionLoaderTest, LargeRowsMakeSmallBatches) {
  info().rows_independent = true;
  info().signature.inputs[0].shape = {-1, 4 << 20};
  EXPECT_EQ(load("")->description.definition.max_batch_size, 15);
}

TEST_F(VersionLoaderTest, ConfiguredBatchSizesAreObeyed) {
  const auto none = load("max_batch_size: 0");
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->description.definition.max_batch_size, 0);
  EXPECT_EQ(none->description.definition.unbatched_reason, "");
  EXPECT_FALSE(none->plan.has_batch_dimension);
  EXPECT_EQ(shape_text(dims(none->description.signature.inputs[0].shape)), "[-1,2]");

  const auto eight = load("max_batch_size: 8");
  ASSERT_TRUE(eight.ok());
  EXPECT_TRUE(eight->plan.has_batch_dimension);
  EXPECT_EQ(eight->plan.max_batch_rows, 8);
  EXPECT_EQ(eight->plan.batching.mode, BatchingDefinition::Mode::kDynamic);
  EXPECT_EQ(eight->plan.batching.max_queue_delay.count(), 0);

  const auto one = load("max_batch_size: 1");
  ASSERT_TRUE(one.ok());
  EXPECT_TRUE(one->plan.has_batch_dimension);
  EXPECT_EQ(one->plan.max_batch_rows, 1);
}

TEST_F(VersionLoaderTest, ConfiguredBatchSizeIsTheAuthorsWord) {
  info().signature.outputs[0].symbols = {"M"};
  EXPECT_EQ(load("max_batch_size: 8")->plan.max_batch_rows, 8);
}

TEST_F(VersionLoaderTest, DimsWithoutBatchDeclareOneThatTheProbeHolds) {
  const std::string dims_config =
      "input { name: 'x' data_type: TYPE_FP32 dims: [2] } output { name: 'y' data_type: TYPE_FP32 dims: [1] reshape { "
      "shape: [ ] } }";
  const auto batched = load(dims_config);
  ASSERT_TRUE(batched.ok()) << batched.status().to_string();
  EXPECT_EQ(batched->description.definition.max_batch_size, 64);
  EXPECT_EQ(shape_text(dims(batched->description.signature.outputs[0].shape)), "[-1,1]");

  info().signature.outputs[0].symbols = {"M"};
  const auto alone = load(dims_config);
  ASSERT_TRUE(alone.ok()) << alone.status().to_string();
  EXPECT_TRUE(alone->plan.has_batch_dimension);
  EXPECT_EQ(alone->description.definition.max_batch_size, 1);
  EXPECT_EQ(alone->plan.max_batch_rows, 1);
}

TEST_F(VersionLoaderTest, WholeConfiguredShapesLoseTheirBatchWhenItIsFound) {
  const auto loaded = load(
      "input { name: 'x' data_type: TYPE_FP32 dims: [-1, 2] } output { name: 'y' data_type: TYPE_FP32 dims: [-1] }");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->description.definition.max_batch_size, 64);
  EXPECT_EQ(shape_text(dims(loaded->description.definition.inputs[0].dims)), "[2]");
  EXPECT_EQ(shape_text(dims(loaded->description.signature.inputs[0].shape)), "[-1,2]");
}

TEST_F(VersionLoaderTest, InstanceGroups) {
  load("instance_group [ { count: 2 kind: KIND_CPU }, { kind: KIND_AUTO } ]").status().ok();
  EXPECT_THAT(backends_.log.names, ElementsAre("m_0_0", "m_0_1", "m_1_0", "m_1_1", "m_1_2"));
  EXPECT_THAT(error("instance_group [ { kind: KIND_GPU } ]"),
              HasSubstr("has kind KIND_GPU but no GPUs are available; use kind: KIND_CPU"));
  settings_.gpus = {0, 1};
  EXPECT_THAT(error("instance_group [ { kind: KIND_GPU gpus: [ 4 ] } ]"),
              HasSubstr("specifies invalid or unsupported gpu id 4"));
  EXPECT_EQ(load("instance_group [ { kind: KIND_GPU count: 2 } ]")->instances.size(), 4U);
}

TEST_F(VersionLoaderTest, TheBackendIsToldOfGpusAndWhetherSomebodySaidWhere) {
  settings_.gpus = {0, 1};
  const auto told = [this](const std::string& config) {
    EXPECT_TRUE(load(config).ok()) << config;
    return backends_.log.load_arguments.back();
  };
  EXPECT_EQ(told("").machine_gpus, 2);
  EXPECT_FALSE(told("").placed);
  EXPECT_FALSE(told("instance_group { count: 2 }").placed);
  EXPECT_TRUE(told("instance_group { kind: KIND_CPU }").placed);
  EXPECT_TRUE(told("instance_group { kind: KIND_GPU gpus: [ 1 ] }").placed);
  EXPECT_TRUE(told("instance_group { kind: KIND_MODEL }").placed);
}

TEST_F(VersionLoaderTest, InstancesGoWhereMemoryIs) {
  MetricRegistry metrics;
  settings_.gpus = {0, 1};
  settings_.devices = std::make_shared<DeviceMemory>(metrics);
  settings_.devices->set_budgets({{}, {{0, 50}, {1, 250}}});
  const std::string group =
      "instance_group [ { kind: KIND_GPU count: 2 } ] parameters { key: 'instance_memory' value { "
      "string_value: '100' } }";
  EXPECT_THAT(error(group), HasSubstr("model 'm' version 1 needs 100 B of gpu 0, of whose budget of 50 B"));
  EXPECT_EQ(settings_.devices->held_by_model(0).size(), 0U);
  // Of a number that follows the load those above the least one may be missing.
  const auto range = [](const char* min) {
    return std::string(
               "parameters { key: 'max_instances' value { string_value: '8' } } parameters { key: "
               "'min_instances' value { string_value: '") +
           min + "' } }";
  };
  {
    const auto loaded = load(group + range("2"));
    ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
    EXPECT_EQ(loaded->instances.size(), 2U);
    EXPECT_EQ(loaded->plan.places[0].device, 1);
    EXPECT_EQ(loaded->plan.places[1].device, 1);
    EXPECT_EQ(loaded->plan.device_uses().at(0).bytes, 200U);
    InstancePlace place = loaded->plan.places[2];
    EXPECT_THAT(loaded->plan.make_instance(*loaded->model, 2, place).status().message(), HasSubstr("of gpu 1"));
    settings_.devices->set_budgets({{}, {{0, 100}, {1, 250}}});
    const auto made = loaded->plan.make_instance(*loaded->model, 2, place);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    EXPECT_EQ(place.device, 0);
    EXPECT_EQ(settings_.devices->held_by_model(0).at("m"), 100U);
  }
  EXPECT_EQ(settings_.devices->held_by_model(1).size(), 0U) << "it goes with them";
  EXPECT_THAT(error(group + range("4")), HasSubstr("of gpu 0, of whose budget of 100 B 100 B are held"));
}

TEST_F(VersionLoaderTest, InstancesWithoutAnyWish) {
  info().recommended_instances = 0;
  EXPECT_EQ(load("")->instances.size(), 2U) << "one a core";
  settings_.instance_threads = 2;
  EXPECT_EQ(load("")->instances.size(), 1U);
  settings_.instances = 5;
  EXPECT_EQ(load("")->instances.size(), 5U);
  info().concurrent_execute = true;
  EXPECT_EQ(load("")->instances.size(), 1U);
  EXPECT_EQ(load("instance_group { count: 4 }")->instances.size(), 1U);
}

TEST_F(VersionLoaderTest, WarmupIsRunOnEveryInstanceAndMustSucceed) {
  const std::string sample =
      "max_batch_size: 4 instance_group { count: 2 } model_warmup { name: 'w' batch_size: 2 count: 3 inputs { key: 'x' "
      "value { data_type: TYPE_FP32 dims: [2] ";
  ASSERT_TRUE(load(sample + "zero_data: true } } }").ok());
  EXPECT_EQ(backends_.log.executions, 6);
  EXPECT_EQ(backends_.log.largest_batch, 2);
  EXPECT_TRUE(load(sample + "random_data: true } } }").ok());
  EXPECT_THAT(error(sample + "input_data_file: 'data' } } }"), HasSubstr("warmup sample 'w'"));
  folder_.write("m/warmup/data", std::string(8, '\0'));
  EXPECT_EQ(error(sample + "input_data_file: 'data' } } }"), "no error");
  folder_.write("m/warmup/data", std::string(7, '\0'));
  EXPECT_THAT(error(sample + "input_data_file: 'data' } } }"), HasSubstr("8 bytes were expected"));
  EXPECT_THAT(error(sample + "input_data_file: '../config.pbtxt' } } }"), HasSubstr("must not leave folder"));
  EXPECT_THAT(error("max_batch_size: 4 model_warmup { name: 'w' batch_size: 1 }"), HasSubstr("input 'x' is missing"));
  EXPECT_THAT(error("max_batch_size: 0 model_warmup { name: 'w' batch_size: 2 }"), HasSubstr("batch_size must be 1"));
  backends_.models["m"].compute = [](const TensorList&) -> Result<TensorList> { return internal("boom"); };
  EXPECT_THAT(error(sample + "zero_data: true } } }"), HasSubstr("failed to run warmup sample 'w': boom"));
}

TEST_F(VersionLoaderTest, WithoutWarmUpsNothingIsRunThatIsNotNeeded) {
  ASSERT_TRUE(load("max_batch_size: 4").ok());
  EXPECT_GT(backends_.log.executions, 0);
  backends_.log.executions = 0;
  settings_.warm_up = false;
  const std::string sample =
      "model_warmup { name: 's' batch_size: 1 inputs { key: 'x' value { data_type: TYPE_FP32 dims: [2] zero_data: true "
      "} } }";
  const auto loaded = load("max_batch_size: 4 " + sample);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ(backends_.log.executions, 0);
  EXPECT_FALSE(loaded->warmed_up_in);
}

TEST_F(VersionLoaderTest, AModelThatMadeUpValuesBreakIsServedAllTheSame) {
  backends_.models["m"].compute = [](const TensorList&) -> Result<TensorList> { return internal("boom"); };
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(loaded->description.definition.unbatched_reason, HasSubstr("boom"));
  EXPECT_TRUE(load("max_batch_size: 4").ok());
}

TEST_F(VersionLoaderTest, LabelsComeAlong) {
  folder_.write("m/labels.txt", "cat\ndog\n");
  const auto loaded = load("output { name: 'y' data_type: TYPE_FP32 dims: [-1] label_filename: 'labels.txt' }");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_THAT(loaded->description.labels.at("y"), ElementsAre("cat", "dog"));
}

TEST_F(VersionLoaderTest, Refusals) {
  EXPECT_THAT(error("backend: 'tensorrt'"), HasSubstr("no backend 'tensorrt'"));
  EXPECT_THAT(error("model_transaction_policy { decoupled: true }"), HasSubstr("remove decoupled"));
  EXPECT_THAT(error("max_batch_size: 2 input { name: 'x' data_type: TYPE_FP32 dims: [2] allow_ragged_batch: true }"),
              HasSubstr("remove allow_ragged_batch"));
  settings_.auto_complete_config = false;
  EXPECT_THAT(error("name: 'm'"), HasSubstr("must specify 'platform' or 'backend'"));
  EXPECT_THAT(error("backend: 'onnxruntime'"), HasSubstr("must specify 'input'"));
  const auto whole = load(
      "backend: 'onnxruntime' input { name: 'x' data_type: TYPE_FP32 dims: [-1, 2] } output { name: 'y' data_type: "
      "TYPE_FP32 dims: [-1] }");
  ASSERT_TRUE(whole.ok()) << whole.status().to_string();
  EXPECT_EQ(whole->description.definition.max_batch_size, 0);
  backends_.models.clear();
  EXPECT_THAT(error("backend: 'onnxruntime' input { name: 'x' data_type: TYPE_FP32 dims: [-1, 2] } output { name: 'y' "
                    "data_type: TYPE_FP32 dims: [-1] }"),
              HasSubstr("corrupt"));
}

TEST_F(VersionLoaderTest, NothingIsLeftBehindByAFailure) {
  (void)error("model_warmup { name: 'w' batch_size: 1 }");
  EXPECT_EQ(backends_.log.loads, 1);
  EXPECT_EQ(backends_.log.unloads, 1);
}

}  // namespace
}  // namespace modelmill
