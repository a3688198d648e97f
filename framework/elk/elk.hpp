// Everything but the xtensor bridge, which is <elk/xtensor.hpp>.
#pragma once

#include <elk/autograd/record.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/base/error.hpp>
#include <elk/base/flops.hpp>
#include <elk/base/parallel.hpp>
#include <elk/base/rng.hpp>
#include <elk/base/shape.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/nn/init.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/module.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/tensor/tensor.hpp>
