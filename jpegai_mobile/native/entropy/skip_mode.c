#include "skip_mode.h"

enum { CUBE_SIZE = 8, PHASES_PER_SIDE = 2 };

uint32_t jai_cubes(uint32_t length)
{
    return jai_cover(jai_cover(jai_cover(length, JAI_LATENT_GRID), PHASES_PER_SIDE), CUBE_SIZE);
}

/* Flags run phase (row, then column), cube row, cube column. */
static uint8_t cube_flag(const jai_component_header *component, uint32_t row, uint32_t column)
{
    const uint32_t phase = row % PHASES_PER_SIDE * PHASES_PER_SIDE + column % PHASES_PER_SIDE;
    const uint32_t cube_row = row / (PHASES_PER_SIDE * CUBE_SIZE);
    const uint32_t cube_column = column / (PHASES_PER_SIDE * CUBE_SIZE);
    return component->cube_flag[(phase * component->cube_rows + cube_row) * component->cube_columns + cube_column];
}

void jai_kept_positions(const jai_component_header *component, const jai_rectangle *region, uint8_t *kept)
{
    for (uint32_t row = region->top; row < region->bottom; row++) {
        for (uint32_t column = region->left; column < region->right; column++) {
            *kept++ = component->use_cube_flags != 0 && cube_flag(component, row, column) == 0;
        }
    }
}

void jai_skip_mask(const int32_t *restrict scale_index, const uint8_t *restrict kept, uint8_t *restrict mask,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mask[i] = (uint8_t)((scale_index[i] > JAI_SKIP_THRESHOLD) | kept[i]);
    }
}
