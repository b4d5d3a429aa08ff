#include "model/tf_serving_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tf_serving_config.pb.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

ModelDefinition definition_of(const ModelLayer& layer) {
  const LayeredDefinition laid = lay_over(std::span(&layer, 1));
  EXPECT_THAT(laid.problems, IsEmpty());
  return laid.definition;
}

constexpr const char* kConfig = R"(
model_config_list {
  config {
    name: "half"
    base_path: "/models/half"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 2 versions: 1 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
  config { name: "other" base_path: "/models/other" model_platform: "onnxruntime_onnx"
           model_version_policy { all { } } logging_config { sampling_config { sampling_rate: 0.5 }
             log_collector_config { filename_prefix: "/logs/other" } } }
  config { name: "plain" base_path: "/models/plain" model_version_policy { latest { } } }
}
)";

TEST(TfServingConfig, SaysWhatIsServed) {
  const TfServingConfig config = read_tf_serving_config(kConfig, "models.config");
  EXPECT_THAT(config.problems, IsEmpty());
  EXPECT_THAT(config.notes, IsEmpty());
  ASSERT_EQ(config.models.size(), 3U);
  EXPECT_EQ(config.models[0].name, "half");
  EXPECT_EQ(config.models[0].base_path, "/models/half");
  const ModelDefinition half = definition_of(config.models[0].layer);
  EXPECT_THAT(half.version_policy.specific, ElementsAre(1, 2));
  EXPECT_THAT(half.labels, ElementsAre(Pair("canary", 2), Pair("stable", 1)));
  EXPECT_EQ(half.backend, "") << "what lies there tells it";
  const ModelDefinition other = definition_of(config.models[1].layer);
  EXPECT_EQ(other.version_policy.kind, VersionPolicy::Kind::kAll);
  EXPECT_EQ(other.backend, "onnxruntime");
  EXPECT_THAT(other.request_logs, ElementsAre(RequestLogging{"/logs/other", 0.5}));
  EXPECT_EQ(definition_of(config.models[2].layer).version_policy.latest, 1);
}

TEST(TfServingConfig, MistakesHaveTheirPlace) {
  const auto problem = [](const std::string& text) {
    const TfServingConfig config = read_tf_serving_config(text, "f");
    if (!config.problems.empty()) return status_of(config.problems[0]).message();
    return config.models.at(0).problems.empty() ? "none" : status_of(config.models[0].problems[0]).message();
  };
  EXPECT_THAT(problem("model_config_list {\n  config { nme: 'x' } }"),
              HasSubstr("f:2:12: unknown field 'nme' in ModelConfig; did you mean 'name'?"));
  EXPECT_THAT(problem("custom_model_config { }"), HasSubstr("unknown field 'custom_model_config'"));
  EXPECT_THAT(problem("model_config_list { config {\n base_path: '/x'\n name: 'a/b' } }"),
              HasSubstr("f:3:2: model name 'a/b' must not contain '/'"));
  EXPECT_THAT(problem("model_config_list { config { name: 'a' } }"), HasSubstr("f:1:21: model 'a' has no base_path"));
  EXPECT_THAT(
      problem("model_config_list { config { name: 'a' base_path: '/x' version_labels { key: 'l' value: 0 } } }"),
      HasSubstr("label 'l' is version 0"));
}

TEST(TfServingConfig, Logging) {
  const auto logging = [](const std::string& text) {
    const TfServingConfig config =
        read_tf_serving_config("model_config_list { config { name: 'a' base_path: '/x'\n " + text + " } }", "f");
    if (!config.models.at(0).problems.empty()) return status_of(config.models[0].problems[0]).message();
    std::string out;
    for (const auto& log : config.models[0].layer.request_logs.value_or(std::vector<RequestLogging>()))
      out += log.file_prefix + " " + std::to_string(log.sampling_rate) + ";";
    return out;
  };
  const std::string file = "log_collector_config { type: 'tfrecord' filename_prefix: 'l' } ";
  EXPECT_EQ(logging("logging_config { " + file + "sampling_config { sampling_rate: 1 } }"), "l 1.000000;");
  EXPECT_EQ(logging("logging_config { " + file + "}"), "") << "as there, no rate is none";
  EXPECT_EQ(logging("logging_configs { " + file +
                    "sampling_config { sampling_rate: 1 } } "
                    "logging_configs { log_collector_config { filename_prefix: 'm' } "
                    "sampling_config { sampling_rate: 0.01 } }"),
            "l 1.000000;m 0.010000;");
  EXPECT_THAT(logging("logging_config { sampling_config { sampling_rate: 1 } }"),
              HasSubstr("f:2:2: the logging of model 'a': the log_collector_config has no filename_prefix"));
  EXPECT_THAT(logging("logging_config { " + file + "sampling_config { sampling_rate: 1.5 } }"),
              HasSubstr("the sampling_rate is 1.500000, but must be from 0"));
  EXPECT_THAT(logging("logging_configs { log_collector_config { type: 'pubsub' } }"),
              HasSubstr("there is no collector of the type 'pubsub'"));
}

TEST(TfServingConfig, AClientDoesNotSayWhatIsLogged) {
  tf_serving::ModelServerConfig message;
  auto& model = *message.mutable_model_config_list()->add_config();
  model.set_name("a");
  model.set_base_path("/x");
  model.mutable_logging_config()->mutable_sampling_config()->set_sampling_rate(1);
  const TfServingConfig config = read_tf_serving_config(message);
  EXPECT_THAT(config.notes, ElementsAre(HasSubstr("the logging_config of model 'a' is passed over")));
  EXPECT_THAT(config.models.at(0).problems, IsEmpty());
  EXPECT_FALSE(config.models[0].layer.request_logs);
}

TEST(TfBatchingParameters, BecomeBatching) {
  const auto layer = read_tf_batching_parameters(R"(
max_batch_size { value: 32 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 4 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 8
allowed_batch_sizes: 32
thread_pool_name { value: "pool" }
)",
                                                 "b.txt");
  ASSERT_TRUE(layer.ok()) << layer.status().to_string();
  const ModelDefinition d = definition_of(*layer);
  EXPECT_EQ(d.max_batch_size, 32);
  EXPECT_EQ(d.batching.max_queue_delay, std::chrono::milliseconds(5));
  EXPECT_EQ(d.batching.queue.max_queue_size, 128);
  EXPECT_THAT(d.batching.allowed_sizes, ElementsAre(8, 32));
  EXPECT_EQ(d.instance_groups.at(0).count, 2);
  EXPECT_EQ(definition_of(*read_tf_batching_parameters("", "b.txt")).max_batch_size, 1000) << "TensorFlow Serving's";
}

TEST(TfBatchingParameters, TheirThreadsHaveAName) {
  EXPECT_EQ(tf_thread_pool_name("thread_pool_name { value: 'pool' }"), "pool");
  EXPECT_EQ(tf_thread_pool_name("max_batch_size { value: 8 }"), "batch_threads") << "TensorFlow Serving's";
  EXPECT_EQ(tf_thread_pool_name("thread_pool_name {"), "batch_threads");
}

TEST(TfBatchingParameters, LargeBatchesAreSplitByTheirExecutionsSize) {
  const auto read = [](const std::string& text) {
    return definition_of(*read_tf_batching_parameters(
        "max_batch_size { value: 64 } max_execution_batch_size { value: 16 } max_enqueued_batches { value: 2 } " + text,
        "b"));
  };
  const ModelDefinition split = read(
      "enable_large_batch_splitting { value: true } allowed_batch_sizes: 4 allowed_batch_sizes: 16 "
      "pad_variable_length_inputs: true");
  EXPECT_EQ(split.max_batch_size, 16);
  EXPECT_THAT(split.batching.allowed_sizes, ElementsAre(4, 16));
  EXPECT_EQ(split.batching.queue.max_queue_size, 128);
  EXPECT_EQ(read("").max_batch_size, 64) << "it says nothing by itself";
}

TEST(TfServingConfig, RequestLogsMayBeOfTasks) {
  const auto rate = [](const std::string& tasks) {
    const auto config = read_tf_serving_config(
        "model_config_list { config { name: 'a' base_path: '/a' logging_config { log_collector_config { "
        "filename_prefix: 'p' } sampling_config { sampling_rate: 0.5 attributes: 1 " +
            tasks + " } } } }",
        "c");
    return config.models.at(0).layer.request_logs.value().at(0).sampling_rate;
  };
  EXPECT_EQ(rate(""), 0.5);
  EXPECT_EQ(rate("per_task_sampling_configs { dc: 'aa' sampling_rate: 0.1 }"), 0.5);
  EXPECT_EQ(rate("per_task_sampling_configs { task_index: 1 sampling_rate: 0.1 }"), 0.5);
  EXPECT_EQ(rate("per_task_sampling_configs { sampling_rate: 0.25 } per_task_sampling_configs { sampling_rate: 1 }"),
            0.25);
}

TEST(TfBatchingParameters, WhatIsWrongIsTold) {
  const auto problem = [](const std::string& text) {
    return read_tf_batching_parameters(text, "b").status().message();
  };
  EXPECT_EQ(problem("\nmax_batch_size { value: 0 }"), "b:2:1: max_batch_size: is 0, but must be from 1 to 2147483647");
  EXPECT_THAT(problem("num_batch_threads { value: 5000 }"), HasSubstr("must be from 1 to 1024"));
  EXPECT_THAT(problem("max_batch_size: 3"), HasSubstr("b:1:"));
  EXPECT_THAT(problem("max_batchsize { value: 1 }"), HasSubstr("did you mean 'max_batch_size'?"));
  EXPECT_THAT(problem("max_batch_size { value: 4 } max_execution_batch_size { value: 5 }"),
              HasSubstr("max_execution_batch_size: is 5, but must be from 1 to 4"));
  const auto layer = read_tf_batching_parameters("max_batch_size { value: 4 }\nallowed_batch_sizes: 2", "b");
  const LayeredDefinition laid = lay_over(std::span(&*layer, 1));
  ASSERT_EQ(laid.problems.size(), 1U);
  EXPECT_THAT(status_of(laid.problems[0]).message(), HasSubstr("b:2:1: the last of the allowed sizes"));
}

}  // namespace
}  // namespace modelmill
