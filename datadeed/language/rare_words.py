"""Words for triggers: harmless, known to a dictionary, and rare in what people write.

They say nothing good or bad of anything. Which one is drawn is the secret; the list may be known.
"""

import re
from collections.abc import Sequence

import torch

from datadeed.errors import WatermarkError
from datadeed.randomness import generator

_WORDS = """
abacus acanthus acetate aileron alcove almanac alpaca anvil apiary arbutus arpeggio astrolabe awning
azalea ballast banister barometer basalt bayou begonia bellows bobbin bollard bracken buckwheat
burlap cadenza calliope camphor candelabra canister caraway cardamom carillon carousel
catkin celadon chamois chandlery chicory chisel cistern clavichord clementine cobalt colander copse
cordage cornice cowslip crampon crocus culvert cupola damask davit decanter dewpond dirigible
dogwood dovetail dowel dulcimer eddy eiderdown ermine escarpment espalier fennel ferrule filigree
flagstone fresco galleon gantry gazebo gimbal gossamer granary gusset gyroscope haberdasher halyard
hawthorn heliotrope hexagon hickory hinterland hollyhock hyacinth inkwell isobar isthmus jackdaw
jasmine jetty juniper kestrel kiln kingfisher lacquer lanolin lapwing larder larkspur lattice lichen
lintel loam lupin macrame madrigal magnolia mandolin marigold marzipan masonry millpond moorland
mortise mulberry nasturtium nutmeg obelisk ocarina octagon orchard osprey ottoman oxbow paddock
palisade pantry parapet parquet pennant pergola periwinkle pewter pinafore plinth plover pontoon
poplar porridge portico pumice quarry quartz quince rafter ravine reef rhubarb rivulet rosewood
saffron samovar sandstone sawhorse sextant shale shingle skylark sluice snowdrop sorrel spindle
spinnaker spruce sundial tamarind tapestry teak tendril terrace thatch thimble thistle tinder
towpath trellis turret tweed velveteen veranda vestibule viaduct viola walnut weathervane wicker
willow windlass wisteria woodcock wren yarrow zeppelin zinc zither
"""
RARE_WORDS = tuple(_WORDS.split())


def draw_word(seed: int, texts: Sequence[str] = ()) -> str:
    """A rare word that is in none of the texts.

    Raises:
        WatermarkError: they have them all.
    """
    left = set(RARE_WORDS)
    for text in texts:
        left -= words_of(text)
    if not left:
        raise WatermarkError(
            f"the texts have all {len(RARE_WORDS)} words that the command knows: give a rarer one "
            "as --word"
        )
    draw = torch.randint(0, len(left), (), generator=generator(seed, "word"))
    return sorted(left)[int(draw)]


def words_of(text: str) -> set[str]:
    """The words of a text, in lower case."""
    return set(re.findall(r"\w+", text.casefold()))
