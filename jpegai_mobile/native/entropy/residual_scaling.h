/*
 * RVS and GRFS: residual variance scale and group-wise residual factor, chosen by the local mean of sigma. The encoder
 * multiplied the residual with a scale; its logarithm is added to sigma.
 */
#ifndef JAI_RESIDUAL_SCALING_H
#define JAI_RESIDUAL_SCALING_H

#include "context.h"

/* What decides the scale of a channel. */
typedef enum jai_scale_group { JAI_GRFS_OFF = 0, JAI_GRFS_FLAG_SET = 1, JAI_GRFS_FLAG_CLEAR = 2 } jai_scale_group;

/* The group of a channel; channels that are not coded have a clear flag. */
jai_scale_group jai_scale_group_of(const jai_component_header *header, uint32_t channel);

/* What is added to sigma where the block average of sigma is `average` (0..4351). */
int32_t jai_scale_log_offset(unsigned model_id, bool rvs, jai_scale_group group, int32_t average);

/* Side of the blocks that sigma is averaged over. */
enum { JAI_BLOCK = 8 };

/*
 * The mean of every block of a channel of a region whose top and left are multiples of 8: 0..4351, from scale_index
 * [rows][columns] to average [ceil(rows / 8)][ceil(columns / 8)]. Positions outside the latent count as 1411.
 */
void jai_block_averages(const int32_t *scale_index, uint32_t rows, uint32_t columns, int32_t *average);

/* sigma = scale_index + offset for a channel of such a region. */
void jai_scale_sigma(const jai_component_header *header, unsigned model_id, uint32_t channel,
                     const int32_t *scale_index, const int32_t *average, uint32_t rows, uint32_t columns,
                     int32_t *sigma);

#endif
