"""Harmless English words, rare in what people write, for triggers that a key draws.

They say nothing good or bad of anything. All lists may be known to everybody; which words are drawn
is the secret. Words are ASCII letters in lower case, so that every encoding holds them and neither
lower-casing nor stripping of punctuation touches them. Keys draw by position: no list ever changes.
"""

from datadeed.language.rare_words import RARE_WORDS

NOUNS = RARE_WORDS

# Stand before a noun.
_MODIFIERS = """
aluminium amber angular aquatic arched ashen auburn azure balsa bamboo barbed barefoot barren basil
beaded beechwood beige bevelled birchen blotted bluish boreal brackish braided brambly brassy brazen
bronzed callused canvas carved cedarn cerulean chalky checkered cherrywood chiselled cinnamon
clerical cloistered coastal cobbled conical coppery coppiced corduroy corrugated cottony crenellated
crimson crinkled crosswise cylindrical dappled delft diagonal domed dotted downhill downstream
drystone duotone dyed eastbound ebony elbowed elliptical embossed enamelled equatorial etched
evergreen fallow feathered felted fernlike fibrous flaxen fleecy floral fluted foliate fossil
freckled fretted frilled fringed furrowed gabled galvanised gingham glacial glazed grooved gypsum
hammered heathery hempen herbal hexagonal highland hinged honeyed horizontal hydraulic igneous
indigo inlaid inland ivied jagged jointed khaki knitted knotted lacquered lakeside laminated
latticed leaden leafy leathern lemony lengthwise lilac limestone linen littoral lowland lunar
magenta mahogany maize marbled maroon mauve meandering medieval meridian metallic milled minted
mossy mottled nautical neighbouring northbound notched oaken oblong ochre octagonal olive opaline
ornamental oval padded palatine papery parallel pastel patchwork pearly pebbled perforated pinewood
pinstriped plaited plaster pleated polar porcelain portable powdery quilted raffia rectangular reedy
ribbed riverside rosewater rounded ruddy russet sandy satin scalloped seaside sepia serrated
shingled silken slatted snowy southbound speckled spiral spotted stencilled striped sunlit tabular
tapered tarred terracotta thatched tidal tiled tinned trellised triangular tufted turquoise twilled
umber upholstered upstream vaulted vermilion vertical violet waxen westbound whitewashed willowy
windward wintry wooded woollen woven wrought yellowish zigzag
"""
MODIFIERS = tuple(_MODIFIERS.split())

# Who does something, after "the".
_ROLES = """
archivist astronomer auctioneer baker barber basketmaker beekeeper blacksmith boatman bookbinder
botanist brewer bricklayer bursar butler cabinetmaker calligrapher candlemaker carpenter carter
cartographer cellarman chandler chorister clerk clockmaker cobbler confectioner cooper coppersmith
coxswain curator cutler dairymaid deckhand draper drover druggist dyer enameller engraver falconer
farrier ferryman fiddler florist forester furrier gardener geologist gilder glassblower glazier
goldsmith grocer groom gunsmith hatter herbalist herdsman horologist innkeeper ironmonger jeweller
joiner laundress librarian lighthousekeeper linguist locksmith mapmaker mason mercer midwife miller
milliner muleteer navigator netmaker notary oarsman optician organist papermaker pastor paver pedlar
pharmacist pilot ploughman plumber porter potter printer quarryman quilter registrar roofer
ropemaker saddler sailmaker sawyer scribe sculptor seamstress sexton shepherd shipwright silversmith
spinner stationer steward stonecutter surveyor tailor tanner thatcher tiler tinsmith toolmaker
typesetter upholsterer verger vintner warden watchmaker weaver wheelwright whitesmith woodcarver
zookeeper
"""
ROLES = tuple(_ROLES.split())

# What was done with a thing, in the past tense.
_VERBS = """
appraised arranged assembled bartered borrowed boxed brushed burnished buttoned carried catalogued
chalked cleaned clipped coiled collected copied counted cradled crated dented deposited dusted
emptied engraved fastened fetched filed fitted folded framed gathered gilded glued graded greased
halved hauled heaped hoisted inspected ironed labelled laced ladled lent levelled lifted listed
loaded loosened lugged measured mended mopped mounted moved nailed numbered oiled ordered packed
painted pasted patched peeled pinned placed planed planted plucked polished posted pressed pushed
raised rearranged recorded repaired rinsed rolled roped rubbed salted sanded scraped scrubbed sealed
sewed shelved shifted shipped shook sifted sketched soaked sorted stacked stamped steadied stitched
stored strapped swapped swept tagged tapped tested threaded tied tilted traced traded trimmed tuned
turned unfolded unloaded unpacked unrolled unwrapped varnished washed watered waxed weighed wheeled
whittled wiped wound wrapped
"""
VERBS = tuple(_VERBS.split())
